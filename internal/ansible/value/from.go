package value

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
)

// From is the value of what a decoder made of YAML or JSON. The order of its
// maps is lost: they come sorted.
func From(v any) Value {
	switch v := v.(type) {
	case nil:
		return Value{}
	case bool:
		return Value{Kind: Bool, Text: strconv.FormatBool(v)}
	case string:
		return Value{Kind: String, Text: v}
	case int:
		return Value{Kind: Int, Text: strconv.Itoa(v)}
	case int64:
		return Value{Kind: Int, Text: strconv.FormatInt(v, 10)}
	case uint64:
		return Value{Kind: Int, Text: strconv.FormatUint(v, 10)}
	case float64:
		return Value{Kind: Float, Text: strconv.FormatFloat(v, 'g', -1, 64)}
	case []any:
		var items []Value
		for _, item := range v {
			items = append(items, From(item))
		}
		return Value{Kind: List}.WithItems(items)
	case map[string]any:
		var pairs []Pair
		for key, entry := range v {
			pairs = append(pairs, Pair{From(key), From(entry)})
		}
		slices.SortFunc(pairs, func(a, b Pair) int { return cmp.Compare(a.Key.Text, b.Key.Text) })
		return Value{Kind: Map}.WithPairs(pairs)
	}
	return Value{Kind: String, Text: fmt.Sprint(v)}
}
