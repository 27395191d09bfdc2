package pipeline

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/plan"
)

// Options of Of. The zero value is for one machine without a CI system.
type Options struct {
	Command   []string // how strata is called in the project: strata -C cluster; none means strata
	Dir       string   // the project's directory seen from the repository's top
	Unpinned  bool     // jobs take what repositories of layers have when they run, not what the plan saw
	Reports   bool     // jobs write JUnit files
	Artifacts string   // the directory in the project in which jobs of images hand theirs on; "" for none
	MostJobs  int      // of a pipeline; 0 means any number
	MostNeeds int      // of a job; 0 means any number
}

// GitLabOptions are o within the limits of a GitLab that nobody has changed.
func GitLabOptions(o Options) Options {
	o.Reports, o.Artifacts, o.MostJobs, o.MostNeeds = true, artifacts, 500, 50
	return o
}

// GitHubOptions are o for jobs that share nothing but what the forge keeps of them.
func GitHubOptions(o Options) Options {
	o.Artifacts = artifacts
	return o
}

// artifacts is where jobs of images hand theirs on.
const artifacts = "artifacts"

// Of makes the jobs of a plan: one for each node that is built or may be, after
// the one for the node that it stands on; for each image that they make another,
// its artifacts, one for its boot test if it can be booted; and the site's own.
// Without anything to build it is one job that says so.
func Of(p *plan.Plan, project *layer.Project, o Options) *Pipeline {
	if len(o.Command) == 0 {
		o.Command = []string{"strata"}
	}
	if way := project.Pipeline.Artifacts; way != "" && way != "job" {
		o.Artifacts = "" // the CI system has no part in it
	}
	m := &maker{
		project: project, o: o,
		pins: p.RepoFlags(),
		out:  &Pipeline{Title: title(p), Summary: p.Summary(), Settings: project.Pipeline, Pins: p.Pins()},
		job:  map[layer.NodeID]string{}, lock: map[layer.NodeID]string{},
	}
	nodes := slices.DeleteFunc(slices.Clone(p.Nodes), func(d plan.Decision) bool { return d.Action == plan.Keep })
	images := m.made(p, nodes)
	if len(nodes)+len(images) == 0 {
		m.nothing()
		return m.out
	}
	mostNodes, mostImages := m.shares(len(nodes), len(images))
	m.before()
	groups := bundle(nodes, mostNodes)
	for _, g := range groups {
		m.build(g)
	}
	bundles := slices.Collect(slices.Chunk(images, max(1, (len(images)+mostImages-1)/mostImages)))
	for _, b := range bundles {
		m.image(b)
	}
	m.say(len(nodes), "nodes", len(groups))
	m.say(len(images), "images", len(bundles))
	return m.out
}

// title says what a plan compares.
func title(p *plan.Plan) string {
	short := func(commit, none string) string {
		if commit == "" {
			return none
		}
		return commit[:min(12, len(commit))]
	}
	return short(p.Head, "the files on disk") + ", compared with " + short(p.Base, "what is there")
}

// maker holds a pipeline while it is made.
type maker struct {
	project *layer.Project
	o       Options
	out     *Pipeline
	pins    []string                // flags that say which commits of repositories
	first   []string                // what jobs need that need nothing else
	job     map[layer.NodeID]string // that builds a node
	lock    map[layer.NodeID]string
}

// made are the images that are made anew: of nodes that are, and those that the
// plan names, be it for their tests.
func (m *maker) made(p *plan.Plan, nodes []plan.Decision) []layer.Image {
	is := map[layer.NodeID]bool{}
	for _, d := range nodes {
		is[d.Node.ID] = true
	}
	return slices.DeleteFunc(slices.Clone(m.project.Images), func(im layer.Image) bool {
		tested := im.Bootable() && slices.Contains(p.Tests, im.Name)
		return !is[im.Node] && !slices.Contains(p.Images, im.Name) && !tested
	})
}

// nothing is the pipeline of a plan that changes nothing.
func (m *maker) nothing() {
	m.add(Job{ID: "nothing-to-build", Stage: Build, About: "there is nothing to do", Script: []string{"echo " + quote(m.out.Summary)}})
}

// say notes that there are fewer jobs than there would be without limits.
func (m *maker) say(n int, what string, jobs int) {
	if jobs < n {
		m.out.Notes = append(m.out.Notes, fmt.Sprintf("%d %s share %d jobs, so that the pipeline has no more than %d", n, what, jobs, m.o.MostJobs))
	}
}

// add adds a job, within the limit of what it may need.
func (m *maker) add(j Job) string {
	j.Needs = m.join(j.ID, j.Stage, j.Needs)
	m.out.Jobs = append(m.out.Jobs, j)
	return j.ID
}

// join is what a job needs, at most as many as it may: further ones are needed
// by jobs in between that do nothing.
func (m *maker) join(who string, stage Stage, needs []string) []string {
	most := m.o.MostNeeds
	for most > 1 && len(needs) > most {
		var joins []string
		for chunk := range slices.Chunk(needs, most) {
			if len(chunk) == 1 {
				joins = append(joins, chunk[0])
				continue
			}
			j := Job{ID: idOf("join", who, chunk[0]), Stage: stage, About: "stands for jobs that another needs", Needs: chunk}
			j.Script = []string{fmt.Sprintf("echo %d jobs are done", len(chunk))}
			m.out.Jobs = append(m.out.Jobs, j)
			joins = append(joins, j.ID)
		}
		needs = joins
	}
	return needs
}

// before adds the site's jobs that come first.
func (m *maker) before() {
	for _, h := range m.project.Pipeline.Before {
		m.first = append(m.first, m.add(m.hook(h, Before, nil, "", nil)))
	}
	m.first = m.join("before", Before, m.first)
}

// build adds the job that builds some nodes, and the site's own after it.
func (m *maker) build(group []plan.Decision) {
	top := group[0]
	j := Job{ID: idOf("build", string(top.Node.ID)), Stage: Build, About: m.about(group), Needs: m.needs(top.Node.Parent), Reasons: reasonsOf(group)}
	if len(j.Reasons) > 0 {
		j.Variables = map[string]string{reasons: inert(j.Reasons)}
	}
	words := []string{"build"}
	var nodes []string
	for _, d := range group {
		words = append(words, m.unambiguous(d.Node.ID))
		nodes = append(nodes, string(d.Node.ID))
		m.lock[d.Node.ID] = m.lockOf(d)
		m.job[d.Node.ID] = j.ID
	}
	j.Lock = m.lock[top.Node.ID]
	j.Script = []string{m.strata(&j, m.exchange(words)...)}
	m.add(j)
	m.hooks(m.project.Pipeline.AfterNode, Build, nodes, "STRATA_NODE", Job{Needs: []string{j.ID}})
}

// about says what a job builds, and why.
func (m *maker) about(group []plan.Decision) string {
	var words []string
	for _, d := range group {
		about := string(d.Node.ID)
		if d.Reason != "" {
			about += ": " + d.Reason
		}
		words = append(words, about)
	}
	return line(strings.Join(words, "; "))
}

// needs is the job that builds a node, or those that come first if it is there.
func (m *maker) needs(nodes ...layer.NodeID) []string {
	var needs []string
	for _, id := range nodes {
		if job := m.job[id]; job != "" && !slices.Contains(needs, job) {
			needs = append(needs, job)
		}
	}
	if needs == nil {
		return slices.Clone(m.first)
	}
	return needs
}

// image adds the jobs of some images: artifacts, boot tests, and the site's own.
func (m *maker) image(images []layer.Image) {
	var names, booted []string
	var nodes []layer.NodeID
	for _, im := range images {
		names, nodes = append(names, im.Name), append(nodes, im.Node)
		if im.Bootable() {
			booted = append(booted, im.Name)
		}
	}
	j := Job{ID: idOf("image", names[0]), Stage: Image, About: "artifacts of " + line(strings.Join(names, ", ")), Needs: m.needs(nodes...)}
	j.Script = []string{m.strata(&j, m.exchange(append([]string{"build"}, names...))...)}
	var from []string // the job that later ones have the artifacts of
	if m.o.Artifacts != "" {
		for _, name := range names {
			dir := path.Join(m.o.Artifacts, name)
			j.Script = append(j.Script, m.command("export", name, dir, "--force"))
			j.Keeps = append(j.Keeps, path.Join(m.o.Dir, dir))
		}
		from = []string{j.ID}
	}
	last := []string{m.add(j)}
	if len(booted) > 0 {
		j := Job{ID: idOf("boot", booted[0]), Stage: Boot, About: "boot test of " + line(strings.Join(booted, ", ")), Needs: last, Takes: from}
		for _, name := range booted {
			args := []string{"boot", name}
			if from != nil {
				args = append(args, "--from", path.Join(m.o.Artifacts, name))
			}
			j.Script = append(j.Script, m.strata(&j, args...))
		}
		last = append([]string{m.add(j)}, from...)
	}
	m.hooks(m.project.Pipeline.AfterImage, After, names, "STRATA_IMAGE", Job{Needs: last, Takes: from})
}

// hooks adds the site's own jobs for nodes or images; after says what they need.
func (m *maker) hooks(hooks []layer.Hook, stage Stage, names []string, variable string, after Job) {
	for _, h := range hooks {
		of := names
		if len(h.Only) > 0 {
			of = slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !slices.Contains(h.Only, name) })
		}
		if len(of) > 0 {
			j := m.hook(h, stage, of, variable, after.Needs)
			j.Takes = after.Takes
			if way := m.project.Pipeline.Artifacts; stage == After && (way == "registry" || way == "s3") && len(m.out.Pins) > 0 {
				// The job finds them with strata export, which is to mean this very plan's.
				j.Variables = withVariable(j.Variables, "STRATA_PINS", strings.Join(m.out.Pins, " "))
			}
			m.add(j)
		}
	}
}

// hook is a job of the site's own. Where it is for several nodes or images, its
// commands run once for each.
func (m *maker) hook(h layer.Hook, stage Stage, names []string, variable string, needs []string) Job {
	j := Job{Stage: stage, About: "the site's own: " + line(h.Name), Needs: needs, Runner: h.Runner, Trigger: h.Trigger, Script: slices.Clone(h.Run)}
	if stage == Before {
		j.ID = idOf("before", h.Name)
	} else {
		j.ID = idOf("after", names[0], h.Name)
		j.Variables = map[string]string{variable: strings.Join(names, " ")}
	}
	if h.Trigger != nil {
		return j
	}
	if len(names) > 1 { // a runner may echo between commands, so that a loop has to be one
		j.Variables = nil
		j.Script = []string{fmt.Sprintf("for %[1]s in %[2]s; do export %[1]s\n%[3]s\ndone", variable, quoted(names), strings.Join(h.Run, "\n"))}
	}
	if dir := m.o.Dir; dir != "" && dir != "." {
		j.Script = slices.Insert(j.Script, 0, "cd "+quote(dir))
	}
	return j
}

// strata is a command line of strata, with a report if jobs write them.
func (m *maker) strata(j *Job, args ...string) string {
	if m.o.Reports {
		file := j.ID + ".xml"
		if len(j.Reports) > 0 {
			file = fmt.Sprintf("%s.%d.xml", j.ID, len(j.Reports)+1)
		}
		args = append(args, "--report", file)
		j.Reports = append(j.Reports, path.Join(m.o.Dir, file))
	}
	return m.command(args...)
}

// command is a command line of strata.
func (m *maker) command(args ...string) string {
	if !m.o.Unpinned {
		args = append(args, m.pins...)
	}
	return quoted(append(slices.Clone(m.o.Command), args...))
}

// exchange adds the flags that share what is built, where there is a registry.
func (m *maker) exchange(args []string) []string {
	if m.project.Registry == "" {
		return args
	}
	return append(args, "--push", "--pull=missing")
}

// unambiguous is how a node is named on a command line.
func (m *maker) unambiguous(id layer.NodeID) string {
	if _, ok := m.project.Image(string(id)); ok {
		return "node/" + string(id)
	}
	return string(id)
}

// lockOf is what two pipelines that would build the same content have in common:
// the key. One that depends on what a parent comes to is not known yet; then it
// is what decides the node besides, and the parent's.
func (m *maker) lockOf(d plan.Decision) string {
	if d.Key != "" {
		return "key-" + string(d.Key)
	}
	h := sha256.New()
	fmt.Fprintf(h, "%q %q", d.Node.ID, m.lock[d.Node.Parent])
	for _, in := range d.Inputs {
		fmt.Fprintf(h, " %q %q %q", in.Kind, in.Name, in.Digest)
	}
	for _, r := range d.Reasons {
		fmt.Fprintf(h, " %q %q %q %q", r.Kind, r.Name, r.Old, r.New)
	}
	return "after-" + hex.EncodeToString(h.Sum(nil))
}
