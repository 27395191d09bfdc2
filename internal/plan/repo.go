package plan

// Repo is a git repository of a project, at the commit that is planned.
type Repo struct {
	Name   string `json:"name"` // in the project: that of a layer, or "inventory"
	URL    string `json:"url"`
	Ref    string `json:"ref"`    // what was asked for, or a directory
	Commit string `json:"commit"` // "" for the files in a directory of this machine
}

// Pin is what has another run of Strata use just this commit, "NAME=COMMIT" for its
// flag --pin; "" for a directory.
func (r Repo) Pin() string {
	if r.Commit == "" {
		return ""
	}
	return r.Name + "=" + r.Commit
}

// Pins are those of all repositories of a plan, in order: what every ref named when
// it was made.
func (p *Plan) Pins() []string {
	var pins []string
	for _, r := range p.Repos {
		if pin := r.Pin(); pin != "" {
			pins = append(pins, pin)
		}
	}
	return pins
}

// RepoFlags are the flags with which another run of Strata uses what the plan has
// of its repositories, directories included.
func (p *Plan) RepoFlags() []string {
	var flags []string
	for _, r := range p.Repos {
		if pin := r.Pin(); pin != "" {
			flags = append(flags, "--pin", pin)
		} else {
			flags = append(flags, "--override", r.Name+"="+r.Ref)
		}
	}
	return flags
}
