package layer

// Source is where a first layer starts: one of the types of this file. Its value
// decides the node's key, so it holds only what was asked for.
type Source interface {
	// Kind names the source by the key that people write below "from".
	Kind() string
	// Title says in a few words what it does.
	Title() string
	// Uses names the package repositories that the layer is made from; the first one's
	// release is the layer's.
	Uses() []string

	source()
}

// Bootstrap installs a distribution's essential packages into an empty layer.
type Bootstrap struct {
	Distribution string   `yaml:"distribution" doc:"The distribution." enum:"debian" required:"true"`
	Repositories []string `yaml:"repositories" doc:"Names of the repositories to install from; the first one's suite is the distribution's." required:"true" min:"1" format:"repository"`
	Recommends   bool     `yaml:"recommends" doc:"Whether recommended packages are installed as well."`
}

// Kind implements Source.
func (Bootstrap) Kind() string { return "bootstrap" }

// Title implements Source.
func (b Bootstrap) Title() string { return "bootstrap " + b.Distribution }

// Uses implements Source.
func (b Bootstrap) Uses() []string { return b.Repositories }

func (Bootstrap) source() {}
