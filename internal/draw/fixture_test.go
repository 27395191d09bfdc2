package draw

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/plan"
)

var update = flag.Bool("update", false, "write golden files")

func digest(of string) string {
	return fmt.Sprintf("%x", rand.New(rand.NewPCG(uint64(len(of)), 1)).Uint64()) + strings.Repeat("0", 48)
}

// figures is the graph of the paper's figures 3 and 4, as a plan: a variable of
// Slurm changed, and a file of one image type's.
func figures() (*plan.Plan, []layer.Image) {
	node := func(id, name, variant, parent string, line int) layer.Node {
		return layer.Node{
			ID: layer.NodeID(id), Layer: name, Variant: variant, Parent: layer.NodeID(parent),
			Groups: []string{"cluster", strings.ToUpper(name)}, Pos: layer.Pos{File: "strata.yaml", Line: line, Col: 3},
		}
	}
	version := plan.Reason{
		Kind: plan.ReasonVariable, Name: "slurm_version", File: "inventory/group_vars/all.yml", Line: 12, Old: "23.02.7", New: "23.11.1",
		Via: []string{"roles/slurm/templates/slurm.conf.j2:12", "roles/slurm/tasks/main.yml:30", "slurm.yml:5"},
	}
	inputs := []plan.Input{
		{Kind: plan.KindAnsible, Name: "roles/slurm/templates/slurm.conf.j2", Digest: digest("a")},
		{Kind: plan.KindDefinition, Name: "packages", Digest: digest("packages")},
		{Kind: plan.KindTool, Name: "strata", Digest: digest("strata")},
		{Kind: "variable", Name: "slurm_version", Digest: digest("variable"), Shown: "23.11.1", File: version.File, Line: version.Line, Via: version.Via},
	}
	profile := plan.Reason{Kind: plan.ReasonFile, Name: "files/motd", File: "files/motd", Old: digest("old")[:12], New: digest("newer")[:12], Via: []string{"strata.yaml:31"}}
	p := &plan.Plan{Base: "4f2c1d9be07a3356c8812f0e4d5a6b7c8d9e0f11", Head: "a91b77e02c64d1f8e3b5a7c9d0e1f2a3b4c5d6e7", Unused: []string{"README.md", "inventory/group_vars/gpu.yml"},
		Removed: []string{"slurm-gpu", "image gpu"}, Images: []string{"uan-debug"}, Tests: []string{"uan"},
		Since: &plan.Since{Ref: "main", Commit: "4f2c1d9be07a3356c8812f0e4d5a6b7c8d9e0f11", Newer: 2},
		Repos: []plan.Repo{{Name: "uan", URL: "https://git.example/hpc/uan.git", Ref: "mr", Commit: "1111111aaaa", Usual: "main", Base: "2222222bbbb", Merged: "3333333cccc"}}}
	p.Nodes = []plan.Decision{
		{Node: node("base", "base", "", "", 9), Action: plan.Keep, Reason: "nothing changed"},
		{Node: node("hsn", "hsn", "", "base", 14), Action: plan.Keep, Reason: "nothing changed"},
		{Node: node("compute", "compute", "", "hsn", 18), Action: plan.Keep, Reason: "nothing changed"},
		{Node: node("uan", "uan", "", "hsn", 22), Action: plan.Build, Reason: "files/motd changed", Reasons: []plan.Reason{profile}},
		{Node: node("slurm-compute", "slurm", "compute", "compute", 26), Action: plan.Build, Reason: "slurm_version changed", Reasons: []plan.Reason{version}},
		{Node: node("slurm-uan", "slurm", "uan", "uan", 26), Action: plan.Maybe, Reason: "parent uan is rebuilt", Reasons: []plan.Reason{{Kind: plan.ReasonParent, Name: "uan"}}},
	}
	for i := range p.Nodes {
		d := &p.Nodes[i]
		d.Inputs = inputs
		d.BaseKey = layer.Key(digest(string(d.Node.ID)))
		switch d.Action {
		case plan.Keep:
			d.Key = d.BaseKey
		case plan.Build:
			d.Key = layer.Key("b" + digest(string(d.Node.ID)))
		}
	}
	return p, []layer.Image{{Name: "compute", Node: "slurm-compute"}, {Name: "uan", Node: "slurm-uan"}, {Name: "uan-debug", Node: "slurm-uan"}}
}

// site is the plan of a large site: n nodes, in which one variable of one layer
// in the middle has changed.
func site(n int) (*plan.Plan, []layer.Image) {
	random := rand.New(rand.NewPCG(7, 11))
	names := []string{"compute", "uan", "login", "gpu", "fpga", "storage", "admin", "visual", "bigmem", "arm", "test", "dtn"}
	p := &plan.Plan{Base: "main", Head: "a91b77e02c64d1f8e3b5a7c9d0e1f2a3b4c5d6e7"}
	var images []layer.Image
	add := func(parent layer.NodeID, name, variant string, a plan.Action) layer.NodeID {
		id := layer.NodeID(name)
		if variant != "" {
			id = layer.NodeID(name + "-" + variant)
		}
		d := plan.Decision{Node: layer.Node{ID: id, Layer: name, Variant: variant, Parent: parent, Groups: []string{"cluster", name, variant}, Pos: layer.Pos{File: "layers/" + name + ".yaml", Line: 3}}, Action: a, Reason: "nothing changed"}
		d.Key, d.BaseKey = layer.Key(digest(string(id))), layer.Key(digest(string(id)))
		switch a {
		case plan.Build:
			d.Reason = "slurm_version changed"
			d.Reasons = []plan.Reason{{Kind: plan.ReasonVariable, Name: "slurm_version", File: "inventory/group_vars/" + variant + ".yml", Line: 10 + random.IntN(90), Old: "23.02.7", New: "23.11.1", Via: []string{"roles/slurm/templates/slurm.conf.j2:12", "slurm.yml:5"}}}
			d.BaseKey = layer.Key("0" + d.BaseKey[1:])
		case plan.Maybe:
			d.Reason, d.Key = "parent "+string(parent)+" is rebuilt", ""
			d.Reasons = []plan.Reason{{Kind: plan.ReasonParent, Name: string(parent)}}
		}
		for k := range 40 {
			name := fmt.Sprintf("roles/%s/tasks/part%d.yml", name, k)
			d.Inputs = append(d.Inputs, plan.Input{Kind: plan.KindAnsible, Name: name, Digest: digest(name)})
		}
		for k := range 5 {
			d.Inputs = append(d.Inputs, plan.Input{
				Kind: "variable", Name: fmt.Sprintf("slurm_setting_%d", k), Digest: digest(string(id)), Shown: string(id),
				File: "inventory/group_vars/" + variant + ".yml", Line: k + 1, Via: []string{"roles/slurm/templates/slurm.conf.j2:12"},
			})
		}
		p.Nodes = append(p.Nodes, d)
		return id
	}
	base := add("", "base", "", plan.Keep)
	hsn := add(base, "hsn", "", plan.Keep)
	for i := 0; len(p.Nodes) < n; i++ {
		name := names[i%len(names)]
		if i >= len(names) {
			name = fmt.Sprintf("%s%d", name, i/len(names))
		}
		top := add(hsn, name, "", plan.Keep)
		a, below := plan.Keep, plan.Keep
		if i%5 == 1 {
			a, below = plan.Build, plan.Maybe
		}
		slurm := add(top, "slurm", name, a)
		for k := range random.IntN(24) {
			if len(p.Nodes) < n {
				id := add(slurm, "site", fmt.Sprintf("%s-%02d", name, k), below)
				if k < 3 {
					images = append(images, layer.Image{Name: fmt.Sprintf("%s-%02d", name, k), Node: id})
				}
			}
		}
	}
	p.Nodes = p.Nodes[:n]
	for i := range 14 {
		p.Unused = append(p.Unused, fmt.Sprintf("docs/page%d.md", i))
	}
	return p, images
}
