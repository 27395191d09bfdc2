package jinja

type exprKind uint8

const (
	eName    exprKind = iota
	eString           // text; raw if a template that keeps backslashes reads it otherwise
	eNumber           // text
	eBool             // text: True or False
	eNone             //
	eList             // kids
	eTuple            // kids
	eDict             // kids: key, value, key, value …
	eAttr             // kids[0].text
	eItem             // kids[0][kids[1]]
	eSlice            // kids, without those left out
	eCall             // kids[0](kids[1:]…, named…)
	eFilter           // kids[0] | text(kids[1:]…, named…); kids[0] is nil in blocks
	eTest             // kids[0] is text(kids[1:]…, named…)
	eCond             // kids[1] if kids[0] else kids[2], which may be missing
	eOr               // kids
	eAnd              // kids
	eNot              // kids[0]
	eCompare          // kids[0] ops[0] kids[1] ops[1] kids[2] …, ops in named: ==, <, in, not in
	eAdd              // kids[0] + kids[1] + …
	eConcat           // kids[0] ~ kids[1] ~ …
	eMath             // kids[0] text kids[1], or text kids[0]
)

// expr is an expression.
type expr struct {
	kind  exprKind
	depth uint16
	line  int
	text  string
	raw   string
	kids  []*expr
	named []named
}

// named is an argument with a name: "*" and "**" stand for lists and mappings
// of arguments. In a comparison, it is an operator.
type named struct {
	name  string
	value *expr
}

type stmtKind uint8

const (
	sData      stmtKind = iota // text
	sOutput                    // value
	sIf                        // arms, orelse
	sFor                       // target, value, test, body, orelse
	sSet                       // target, value
	sSetBlock                  // target, value (filters or nil), body
	sMacro                     // text, params, defaults, body
	sCallBlock                 // value, params, defaults, body
	sFilter                    // value, body
	sWith                      // params, defaults (their values), body
	sScope                     // autoescape: value, body
	sBlock                     // text, body
	sInclude                   // text: include, import, from, extends; value; names that it binds
	sDo                        // value
	sDebug                     // shows every variable
	sNothing                   // break, continue
)

// stmt is a piece of a template.
type stmt struct {
	kind      stmtKind
	line      int
	text      string
	value     *expr
	test      *expr
	target    *expr
	params    []*expr
	defaults  []*expr
	names     []string
	arms      []arm
	body      []*stmt
	orelse    []*stmt
	recursive bool // for … recursive
	optional  bool // include … ignore missing
	context   bool // include … with context
}

// arm is an `if` or `elif`.
type arm struct {
	test *expr
	body []*stmt
}
