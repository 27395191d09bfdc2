package pipeline

import "strings"

// literal is text in which a forge that runs workflows sees no expression. It goes
// wherever text of others goes: into scripts, names of containers and labels.
func literal(s string) string { return strings.ReplaceAll(s, "${{", "${{ '${{' }}") }

// environment is variables as a workflow sets them, and as a script must, which are
// those that hold the beginning of an expression: runners of Forgejo and Gitea
// evaluate what came out of an expression once more.
func environment(m map[string]string) (env map[string]text, script string) {
	env, others := map[string]text{}, map[string]string{}
	for k, v := range m {
		if strings.Contains(v, "${{") {
			others[k] = v
		} else {
			env[k] = text(v)
		}
	}
	return env, exports(others)
}

func literalList(list []string) []string {
	all := make([]string, len(list))
	for i, s := range list {
		all[i] = literal(s)
	}
	return all
}
