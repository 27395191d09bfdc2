package main

import (
	"fmt"
	"math"
	"slices"
)

// Series are measurements of one thing.
type Series []float64

// Median is the middle one, or the mean of the two in the middle.
func (s Series) Median() float64 {
	if len(s) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(s))
	half := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[half]
	}
	return (sorted[half-1] + sorted[half]) / 2
}

// Text is the median with the range, in a unit.
func (s Series) Text(unit string) string {
	if len(s) == 0 {
		return "–"
	}
	text := number(s.Median()) + " " + unit
	if len(s) > 1 {
		text += fmt.Sprintf(" (%s – %s)", number(slices.Min(s)), number(slices.Max(s)))
	}
	return text
}

// number prints three digits or so.
func number(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	case v >= 1:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.3f", v)
}

// alternate runs each side n times, in turns: what else the machine does then
// strikes all of them alike. A side gets the number of the round and returns
// what it measured.
func alternate(l *lab, sides ...func(round int) (float64, error)) ([]Series, error) {
	all := make([]Series, len(sides))
	for round := range l.n {
		for i, side := range sides {
			if err := l.ctx.Err(); err != nil {
				return nil, err
			}
			v, err := side(round)
			if err != nil {
				return nil, fmt.Errorf("round %d, side %d: %w", round+1, i+1, err)
			}
			all[i] = append(all[i], v)
		}
	}
	return all, nil
}

// phases are the parts of a piece of work, in order, each measured again in
// every round.
type phases struct {
	names  []string
	series map[string]Series
}

func (p *phases) add(name string, v float64) {
	if p.series == nil {
		p.series = map[string]Series{}
	}
	if _, ok := p.series[name]; !ok {
		p.names = append(p.names, name)
	}
	p.series[name] = append(p.series[name], v)
}

// Table is the parts with their medians in seconds.
func (p *phases) Table(title, column string) Table {
	t := Table{Title: title, Head: []string{column, "median", "range"}}
	for _, name := range p.names {
		s := p.series[name]
		t.Rows = append(t.Rows, []string{name, number(s.Median()) + " s", number(slices.Min(s)) + " – " + number(slices.Max(s))})
	}
	return t
}
