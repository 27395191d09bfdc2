package pipeline

import "strings"

// unexpanded are variables of GitLab whose values are as they are written: of
// those with a $ or a %, GitLab is told to put no other variable into them.
func unexpanded(m map[string]string) map[string]any {
	if len(m) == 0 {
		return nil
	}
	all := make(map[string]any, len(m))
	for k, v := range m {
		all[k] = text(v)
		if strings.ContainsAny(v, "$%") {
			all[k] = gitlabVariable{text(v), false}
		}
	}
	return all
}

// gitlabPaths are paths in a keyword in which GitLab expands variables.
func gitlabPaths(paths []string) []string {
	all := make([]string, len(paths))
	for i, p := range paths {
		all[i] = strings.ReplaceAll(p, "$", "$$")
	}
	return all
}
