package ansible

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/strata-hpc/strata/internal/ansible/jinja"
	"github.com/strata-hpc/strata/internal/ansible/value"
)

// What filters make of what variables hold. A list that a filter picks from, or
// puts in another order, is a list of some of its elements.

// filtered is what a filter can come to.
func (w *walk) filtered(s jinja.Filtered, o owner) []outcome {
	var all outcomes
	for _, out := range w.outcomes(s.Of, nil, o) {
		all.add(w.filter(out, s, o)...)
	}
	return all.limited()
}

func (w *walk) filter(out outcome, s jinja.Filtered, o owner) []outcome {
	if text := textFilters[s.Name]; text != nil {
		if !out.isText() || len(s.Args)+len(s.Named) > 0 {
			return unknownOutcome()
		}
		return []outcome{textOutcome(text(out.text))}
	}
	switch s.Name {
	case "string":
		if out.isText() {
			return []outcome{textOutcome(out.text)}
		}
	case "bool":
		return toBool(out).outcomes()
	case "int":
		return []outcome{toInt(out)}
	case "length", "count":
		return []outcome{lengthOf(out)}
	case "replace", "regex_replace":
		return w.replaced(out, s, o)
	case "split":
		return w.split(out, s, o)
	case "quote":
		return quoted(out)
	case "join":
		return w.joinedBy(out, s, o)
	case "combine":
		return w.combined(out, s, o)
	case "dict2items":
		return dictItems(out, s)
	case "map":
		return w.mapped(out, s, o)
	}
	return w.picked(out, s, o)
}

var plainForShells = regexp.MustCompile(`^[a-zA-Z0-9@%+=:,./_-]+$`)

// quoted is a text as a shell takes it for one word: shlex.quote.
func quoted(out outcome) []outcome {
	in := textOutcome("'" + strings.ReplaceAll(out.text, "'", `'"'"'`) + "'")
	switch {
	case !out.isText():
		return unknownOutcome()
	case !computed(out.text) && !strings.Contains(out.text, projectText):
		if plainForShells.MatchString(out.text) {
			return []outcome{textOutcome(out.text)}
		}
		return []outcome{in}
	case strings.HasPrefix(out.text, unknownText) && strings.HasSuffix(out.text, unknownText):
		return []outcome{textOutcome(out.text)} // quotes are in it
	case strings.Contains(out.text, "'"):
		return unknownOutcome()
	}
	return []outcome{textOutcome(out.text), in}
}

// picked is what a filter takes out of a list.
func (w *walk) picked(out outcome, s jinja.Filtered, o owner) []outcome {
	if out.isMap() {
		switch s.Name {
		case "list", "keys", "sort":
			return some(w.keysOf(out))
		case "values":
			return some(w.valuesIn(out, nil))
		}
	}
	if !out.isList() {
		return unknownOutcome()
	}
	switch s.Name {
	case "list":
		return []outcome{out}
	case "first", "last", "random":
		elements := w.elementsOf(out)
		switch {
		case len(elements) == 0:
			return nil
		case out.some == nil && s.Name == "first":
			return elements[0]
		case out.some == nil && s.Name == "last":
			return elements[len(elements)-1]
		}
		return w.items(out, nil)
	case "unique", "sort", "shuffle", "select", "reject", "selectattr", "rejectattr", "difference", "intersect":
		return some(w.items(out, nil))
	case "union", "symmetric_difference":
		all := w.items(out, nil)
		for _, arg := range s.Args {
			for _, other := range w.outcomes(arg, nil, o) {
				if !other.isList() {
					return unknownOutcome()
				}
				all = append(all, w.items(other, nil)...)
			}
		}
		return some(all)
	case "flatten":
		return some(w.flattened(out, 0))
	}
	return unknownOutcome()
}

// some is a list of some of these, perhaps of none.
func some(list []outcome) []outcome {
	var all outcomes
	all.add(list...)
	if list = all.limited(); list == nil {
		list = []outcome{}
	}
	return []outcome{{some: list}}
}

const deepestList = 20 // lists in lists

func (w *walk) flattened(out outcome, depth int) []outcome {
	var all outcomes
	for _, item := range w.items(out, nil) {
		switch {
		case !item.isList():
			all.add(item)
		case depth > deepestList:
			return unknownOutcome()
		default:
			all.add(w.flattened(item, depth+1)...)
		}
	}
	return all.limited()
}

// elementsOf are what each of the elements of a list can come to; of some, any.
func (w *walk) elementsOf(out outcome) [][]outcome {
	var all [][]outcome
	for _, item := range out.value.Items() {
		all = append(all, w.valueOutcomes(item, nil, out.owner))
	}
	for _, item := range out.list {
		all = append(all, w.outcomes(item, nil, out.owner))
	}
	for _, item := range out.some {
		all = append(all, []outcome{item})
	}
	return all
}

// keysOf are the keys of a map.
func (w *walk) keysOf(out outcome) []outcome {
	var all outcomes
	for _, p := range out.value.Pairs() {
		all.add(w.valueOutcomes(p.Key, nil, out.owner)...)
	}
	for key := range out.dict {
		all.add(textOutcome(key))
	}
	return all.limited()
}

// valuesIn are what lies at a path in the values of a map.
func (w *walk) valuesIn(out outcome, at []string) []outcome {
	var all outcomes
	for _, p := range out.value.Pairs() {
		all.add(w.valueOutcomes(p.Value, at, out.owner)...)
	}
	for _, key := range sortedKeys(out.dict) {
		all.add(w.outcomes(out.dict[key], at, out.owner)...)
	}
	return all.limited()
}

func sortedKeys(m jinja.Map) []string {
	var keys []string
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// dictItems is a map as a list of its keys and values.
func dictItems(out outcome, s jinja.Filtered) []outcome {
	name := func(of, otherwise string) (string, bool) {
		given, ok := s.Named[of]
		if !ok {
			return otherwise, true
		}
		literal, ok := given.(jinja.Literal)
		return string(literal), ok
	}
	key, ok := name("key_name", "key")
	val, ok2 := name("value_name", "value")
	switch {
	case !ok || !ok2 || len(s.Args) > 0:
	case out.value.Kind == value.Map:
		return []outcome{{value: entriesOf(out.value, key, val), owner: out.owner}}
	case out.dict != nil:
		list := jinja.List{}
		for _, k := range sortedKeys(out.dict) {
			list = append(list, jinja.Map{key: jinja.Literal(k), val: out.dict[k]})
		}
		return []outcome{{list: list, owner: out.owner}}
	}
	return unknownOutcome()
}

// combined is one of the maps that are combined: for whoever looks for a key, or
// goes through all, it is as good as all of them.
func (w *walk) combined(out outcome, s jinja.Filtered, o owner) []outcome {
	for name := range s.Named {
		if name != "recursive" {
			return unknownOutcome()
		}
	}
	all := outcomes{}
	var add func(list []outcome) bool
	add = func(list []outcome) bool {
		for _, one := range list {
			switch {
			case one.isMap():
				all.add(one)
			case one.isList():
				if !add(w.items(one, nil)) {
					return false
				}
			default:
				return false
			}
		}
		return true
	}
	if !add([]outcome{out}) {
		return unknownOutcome()
	}
	for _, arg := range s.Args {
		if !add(w.outcomes(arg, nil, o)) {
			return unknownOutcome()
		}
	}
	return all.limited()
}

// mapped is map(attribute='x') and map('filter').
func (w *walk) mapped(out outcome, s jinja.Filtered, o owner) []outcome {
	if !out.isList() {
		return unknownOutcome()
	}
	var all []outcome
	if attribute, ok := s.Named["attribute"].(jinja.Literal); ok && len(s.Args) == 0 {
		for name, given := range s.Named {
			switch name {
			case "attribute":
			case "default":
				all = append(all, w.outcomes(given, nil, o)...)
			default:
				return unknownOutcome()
			}
		}
		return some(append(all, w.items(out, strings.Split(string(attribute), "."))...))
	}
	if len(s.Args) == 0 {
		return unknownOutcome()
	}
	name, ok := s.Args[0].(jinja.Literal)
	if !ok {
		return unknownOutcome()
	}
	each := jinja.Filtered{Name: builtin(string(name)), Args: s.Args[1:], Named: s.Named}
	for _, item := range w.items(out, nil) {
		all = append(all, w.filter(item, each, o)...)
	}
	return some(all)
}

// textFilters are filters that make a text of a text, without arguments; of a
// pattern they make one that says at least as much.
var textFilters = map[string]func(string) string{
	"lower": strings.ToLower, "upper": strings.ToUpper, "trim": strings.TrimSpace,
	"basename": baseName, "dirname": dirName,
	"capitalize": func(s string) string {
		if computed(s) || s == "" {
			return blurred(s)
		}
		_, first := utf8.DecodeRuneInString(s)
		return strings.ToUpper(s[:first]) + strings.ToLower(s[first:])
	},
}

// blurred is what anything can be that is made of a text: without a slash, where
// the text has none.
func blurred(pattern string) string {
	if strings.ContainsAny(pattern, "/"+unknownText+projectText) {
		return unknownText
	}
	return wordText
}

// baseName is Python's os.path.basename of a pattern.
func baseName(pattern string) string {
	pattern = strings.TrimPrefix(pattern, projectText)
	tail := pattern[strings.LastIndexByte(pattern, '/')+1:]
	if i := strings.LastIndex(tail, unknownText); i >= 0 { // it may end in a slash
		tail = wordText + tail[i+1:]
	}
	return tail
}

// dirName is Python's os.path.dirname of a pattern.
func dirName(pattern string) string {
	slash := strings.LastIndexByte(pattern, '/')
	if tail := pattern[slash+1:]; strings.Contains(tail, unknownText) {
		return pattern[:slash+1+strings.Index(tail, unknownText)] + unknownText // the slash is perhaps a part of it
	}
	if slash < 0 {
		if strings.HasPrefix(pattern, projectText) {
			return projectText // the project's own directory
		}
		return ""
	}
	if head := strings.TrimRight(pattern[:slash+1], "/"); head != "" {
		return head
	}
	return pattern[:slash+1]
}

// toBool is what the filter bool makes of a value.
func toBool(out outcome) truths {
	switch {
	case !out.isText():
		return truth(false)
	case !out.exact():
		return both
	}
	switch strings.ToLower(out.text) {
	case "yes", "on", "1", "true":
		return truth(true)
	}
	return truth(false)
}

// toInt is what the filter int makes of a value.
func toInt(out outcome) outcome {
	if out.exact() && plainInt.MatchString(out.text) {
		return outcome{text: out.text, kind: value.Int}
	}
	return outcome{text: wordText, kind: value.Int}
}

func lengthOf(out outcome) outcome {
	n := -1
	switch {
	case out.some != nil:
	case out.list != nil:
		n = len(out.list)
	case out.dict != nil:
		n = len(out.dict)
	case out.value.Kind == value.List:
		n = len(out.value.Items())
	case out.value.Kind == value.Map:
		n = len(out.value.Pairs())
	case out.exact():
		n = utf8.RuneCountInString(out.text)
	}
	if n < 0 {
		return outcome{text: wordText, kind: value.Int}
	}
	return outcome{text: strconv.Itoa(n), kind: value.Int}
}

// oneText is an argument that is one text, every letter of it known. '\1' is a
// sign that nobody means in a template's file, and what it looks like elsewhere.
func (w *walk) oneText(s jinja.Shape, o owner) (string, bool) {
	if two, ok := s.(jinja.Either); ok && len(two) == 2 {
		if escaped, ok := two[0].(jinja.Literal); ok && strings.ContainsFunc(string(escaped), func(r rune) bool { return r < ' ' }) {
			s = two[1]
		}
	}
	found := w.outcomes(s, nil, o)
	if len(found) != 1 || !found[0].exact() {
		return "", false
	}
	return found[0].text, true
}

// replaced is replace(from, to) and regex_replace(pattern, to).
func (w *walk) replaced(out outcome, s jinja.Filtered, o owner) []outcome {
	if !out.isText() || len(s.Args) == 0 || len(s.Args) > 2 || len(s.Named) > 0 {
		return unknownOutcome()
	}
	from, known := w.oneText(s.Args[0], o)
	to, known2 := "", true
	if len(s.Args) == 2 {
		to, known2 = w.oneText(s.Args[1], o)
	}
	switch {
	case !known2:
		return unknownOutcome()
	case !out.exact() || !known:
		text := blurred(out.text)
		if s.Name == "replace" && known && from == "/" {
			text = wordText
		}
		if strings.Contains(to, "/") {
			text = unknownText
		}
		return []outcome{textOutcome(text)}
	case s.Name == "replace":
		return []outcome{textOutcome(strings.ReplaceAll(out.text, from, to))}
	}
	text, ok := regexReplaced(out.text, from, to)
	if !ok {
		text = unknownText
	}
	return []outcome{textOutcome(text)}
}

// same are expressions that mean the same to Python and here, of texts in ASCII
// without newlines.
var same = regexp.MustCompile(`^([A-Za-z0-9_ /@%,:;=!"'<>.^$*+?|()\[\]-]|\\[dws.+*?()\[\]/^$|-])*$`)

// regexReplaced is Python's re.sub, false if nobody can tell here.
func regexReplaced(text, pattern, to string) (string, bool) {
	ascii := func(s string) bool {
		return strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) < 0
	}
	if !ascii(text) || !same.MatchString(pattern) || strings.Contains(pattern, "(?") || strings.Contains(pattern, "[[") {
		return "", false
	}
	of, err := regexp.Compile(pattern)
	if err != nil || of.MatchString("") {
		return "", false // where nothing is replaced, too, Python has its own way
	}
	var template strings.Builder
	for i := 0; i < len(to); i++ {
		switch {
		case to[i] == '$':
			template.WriteString("$$")
		case to[i] != '\\':
			template.WriteByte(to[i])
		case i+1 < len(to) && to[i+1] >= '1' && to[i+1] <= '9' && int(to[i+1]-'0') <= of.NumSubexp():
			i++
			template.WriteString("${" + to[i:i+1] + "}")
		default:
			return "", false
		}
	}
	return of.ReplaceAllString(text, template.String()), true
}

// split is a text taken apart.
func (w *walk) split(out outcome, s jinja.Filtered, o owner) []outcome {
	if !out.isText() || len(s.Args) > 1 || len(s.Named) > 0 {
		return unknownOutcome()
	}
	at, known := " ", true
	if len(s.Args) == 1 {
		if at, known = w.oneText(s.Args[0], o); at == "" {
			known = false
		}
	}
	if !known || !out.exact() {
		text := blurred(out.text)
		if at == "/" {
			text = wordText
		}
		return some([]outcome{textOutcome(text)})
	}
	parts := strings.Split(out.text, at)
	if len(s.Args) == 0 {
		parts = strings.Fields(out.text)
	}
	items := make([]value.Value, len(parts))
	for i, part := range parts {
		items[i] = value.Value{Kind: value.Unsafe, Text: part}
	}
	return []outcome{{value: value.Value{Kind: value.List}.WithItems(items)}}
}

// joinedBy is a list as one text.
func (w *walk) joinedBy(out outcome, s jinja.Filtered, o owner) []outcome {
	between, known := "", true
	switch {
	case len(s.Args) > 1 || len(s.Named) > 0 || !out.isList() || out.some != nil:
		return unknownOutcome()
	case len(s.Args) == 1:
		if between, known = w.oneText(s.Args[0], o); !known {
			return unknownOutcome()
		}
	}
	all := []string{""}
	for i, element := range w.elementsOf(out) {
		var texts []string
		for _, one := range element {
			if !one.isText() {
				return unknownOutcome()
			}
			if i > 0 {
				one.text = between + one.text
			}
			texts = append(texts, one.text)
		}
		if len(texts) == 0 {
			return nil
		}
		all = joined(all, texts)
	}
	list := make([]outcome, len(all))
	for i, text := range all {
		list[i] = textOutcome(text)
	}
	return list
}

// sum is a + b: of lists, texts or numbers.
func (w *walk) sum(terms jinja.Sum, o owner) []outcome {
	lists, numbers := true, true
	var elements []outcome
	for _, term := range terms {
		found := w.outcomes(term, nil, o)
		if len(found) == 0 {
			return nil
		}
		for _, out := range found {
			if lists = lists && out.isList(); lists {
				elements = append(elements, w.items(out, nil)...)
			}
			numbers = numbers && out.isText() && (out.kind == value.Int || out.kind == value.Float)
		}
	}
	switch {
	case lists:
		return some(elements)
	case numbers:
		return []outcome{{text: wordText, kind: value.Float}}
	}
	texts := false
	for _, term := range terms { // one that is surely a text makes all of it one
		text := true
		for _, out := range w.outcomes(term, nil, o) {
			text = text && out.isText() && (out.kind == value.String || out.kind == value.Unsafe) && strings.Trim(out.text, wildcards) != ""
		}
		texts = texts || text
	}
	if texts {
		return w.concat(jinja.Concat(terms), o)
	}
	return unknownOutcome()
}

// item is what lies at a computed key, and at a path from there.
func (w *walk) item(s jinja.Item, at []string, o owner) []outcome {
	var all outcomes
	known := true
	for _, key := range w.outcomes(s.Key, nil, o) {
		if known = known && key.exact(); known {
			all.add(w.outcomes(s.Of, append([]string{key.text}, at...), o)...)
		}
	}
	if !known {
		all = outcomes{}
		if entriesIn(w.outcomes(s.Of, nil, o)) > mostEntries {
			return unknownOutcome()
		}
		for _, out := range w.outcomes(s.Of, nil, o) {
			switch {
			case out.isMap():
				all.add(w.valuesIn(out, at)...)
			case out.isList():
				all.add(w.items(out, at)...)
			default:
				all.add(unknownOutcome()...)
			}
		}
	}
	return all.limited()
}

const mostEntries = 64 // that one of which is meant

func entriesIn(list []outcome) int {
	n := 0
	for _, out := range list {
		n += len(out.value.Items()) + len(out.value.Pairs()) + len(out.list) + len(out.dict) + len(out.some)
	}
	return n
}
