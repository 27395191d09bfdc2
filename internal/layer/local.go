package layer

// Local says what something that playbooks run on the machine that builds reads of
// the project. Exactly one of Match and Plugin is set.
type Local struct {
	Match  string   `yaml:"match" doc:"A command of a task or a pipe lookup, as it is written there. * stands for any characters." oneof:"what" format:"command"`
	Plugin string   `yaml:"plugin" doc:"The file of a plugin of the project: an action, lookup, filter or vars plugin, for example." oneof:"what" format:"file"`
	Reads  []string `yaml:"reads" doc:"The files and directories that it reads, besides those that the command names; * and ? stand for any characters but a slash, ** for any number of directories. Of a directory, all that is below. [] says that it reads nothing." required:"true" format:"reads"`
}

// String names what it is about.
func (l Local) String() string {
	if l.Plugin != "" {
		return "plugin " + l.Plugin
	}
	return l.Match
}
