package recipe

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

// TestDocs keeps the documents in docs equal to what the types say.
func TestDocs(t *testing.T) {
	compareGolden(t, "../../docs/strata.schema.json", Schema())
	compareGolden(t, "../../docs/configuration.md", Reference())
}

func compileSchema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource("strata.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("strata.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// instance turns YAML into what a schema validates, as an editor would.
func instance(text []byte) (any, error) {
	var value any
	if err := yaml.Unmarshal(text, &value); err != nil {
		return nil, err
	}
	data, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	return jsonschema.UnmarshalJSON(bytes.NewReader(data))
}

// TestSchemaAcceptsGood: what the decoder takes, the schema takes.
func TestSchemaAcceptsGood(t *testing.T) {
	schema := compileSchema(t)
	files, _ := filepath.Glob("testdata/good/*.yaml")
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := instance(text)
		if err != nil {
			t.Fatal(name, err)
		}
		if err := schema.Validate(doc); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSchemaRefusesBad: of the bad recipes, the schema refuses those whose
// mistake can be seen in one value.
func TestSchemaRefusesBad(t *testing.T) {
	schema := compileSchema(t)
	archives, _ := filepath.Glob("testdata/bad/*.txtar")
	for _, name := range archives {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range archive.Files {
			doc, err := instance(f.Data)
			if f.Name != "strata.yaml" || err != nil {
				continue
			}
			err = schema.Validate(doc)
			structural := strings.HasPrefix(filepath.Base(name), "shape-")
			if structural && err == nil {
				t.Errorf("%s: the schema accepts it", name)
			}
			if !structural && err != nil {
				t.Errorf("%s: the schema refuses it, so its name must begin with shape-: %v", name, err)
			}
		}
	}
}

// agree are single mistakes and their corrections, in a layer.
func agree() map[string]bool {
	return map[string]bool{
		"packages: [a]": true,
		"packages: a":   false,
		"packages: {install: [a], no_recommends: true}":          true,
		"packages: {install: [a], no_recommends: \"true\"}":      false,
		"packages: {no_recommends: true}":                        false,
		"packages: [1]":                                          false,
		"packages:":                                              false,
		"pakages: [a]":                                           false,
		"groups: [a]":                                            false,
		"modules: [a]":                                           false,
		"repo: {url: x}":                                         true,
		"files: [{src: files/motd, dest: /a}]":                   true,
		"files: [{src: files/motd, dest: a}]":                    false,
		"files: [{src: files/motd, content: x, dest: /a}]":       false,
		"files: [{dest: /a}]":                                    false,
		"files: [{content: \"\", dest: /a}]":                     true,
		"files: [{content: x, dest: /a, mode: 0644}]":            false,
		"files: [{content: x, dest: /a, mode: \"0644\"}]":        true,
		"files: [{content: x, dest: /a, mode: \"0984\"}]":        false,
		"files: [{content: x, dest: /a, template: yes}]":         false,
		"run: [a, {command: b}, {script: scripts/setup.sh}]":     true,
		"run: [{command: b, script: scripts/setup.sh}]":          false,
		"run: [{command: b, network: some}]":                     false,
		"run: [{env: {A: b}}]":                                   false,
		"run: [{command: b, env: {1A: b}}]":                      false,
		"run: [\"\"]":                                            false,
		"run: a":                                                 false,
		"env: {A: 1, B: true, C: x, D: 1.5}":                     true,
		"env: {A: [1]}":                                          false,
		"env: {A: }":                                             false,
		"env: [A]":                                               false,
		"labels: {a=b: x}":                                       false,
		"secrets: {a: {file: /x}}":                               true,
		"secrets: {a: {}}":                                       false,
		"secrets: {a: {file: /x, env: Y}}":                       false,
		"secrets: {../a: {file: /x}}":                            false,
		"services: {enable: [a.service]}":                        true,
		"services: {start: [a.service]}":                         false,
		"services: {enable: [\"a b\"]}":                          false,
		"arch: amd64":                                            true,
		"arch: x86_64":                                           false,
		"ansible: {playbooks: [hsn.yml], extra_vars: {a: null}}": true,
		"ansible: {playbooks: hsn.yml}":                          false,
		"ansible: {playbooks: [hsn.yml], extra_vars: [a]}":       false,
		"ansible: {playbooks: [hsn.yml], local: [{match: \"a *\", reads: [\"**\"]}]}":       true,
		"ansible: {playbooks: [hsn.yml], local: [{match: a, reads: []}]}":                   true,
		"ansible: {playbooks: [hsn.yml], local: [{match: a}]}":                              false,
		"ansible: {playbooks: [hsn.yml], local: [{match: \"*\", reads: [a]}]}":              false,
		"ansible: {playbooks: [hsn.yml], local: [{reads: [a]}]}":                            false,
		"ansible: {playbooks: [hsn.yml], local: [{match: a, plugin: hsn.yml, reads: [a]}]}": false,
		"variants: {a: {groups: [G]}}":                                                      true,
		"variants: {A: {groups: [G]}}":                                                      false,
		"variants: {a: {packages: [x]}}":                                                    false,
		"variants: [a]":                                                                     false,
		"remove: [nano]":                                                                    true,
		"remove: [\"nano vim\"]":                                                            false,
		"repositories: [d]":                                                                 true,
		"repositories: {d: {type: apt, suite: bookworm}}":                                   false,
		"parent2: x": false,
		"files: [{content: x, dest: /a, owner: 0}]":                    false,
		"ansible: {playbooks: [hsn.yml], groups: [\"a b\"]}":           false,
		"ansible: {playbooks: [hsn.yml], tags: [\"\"]}":                false,
		"from: {archive: x.tar}":                                       false,
		"from: {bootstrap: {distribution: suse, repositories: [d]}}":   false,
		"from: {bootstrap: {distribution: debian, repositories: []}}":  false,
		"from: {bootstrap: {distribution: debian, repositories: [d]}}": true,
	}
}

// TestAgreement: the decoder and the schema decide alike about every structural
// mistake.
func TestAgreement(t *testing.T) {
	schema := compileSchema(t)
	for line, want := range agree() {
		text := "strata: 1\nrepositories: {d: {type: apt, suite: bookworm}}\nlayers:\n  base:\n"
		if !strings.HasPrefix(line, "from:") {
			text += "    from: {bootstrap: {distribution: debian, repositories: [d]}}\n"
		}
		text += "    " + line + "\n"
		fsys := project()
		fsys["strata.yaml"] = &fstest.MapFile{Data: []byte(text)}
		_, loadErr := Load(fsys, "strata.yaml", Options{})
		doc, err := instance([]byte(text))
		if err != nil {
			t.Fatal(line, err)
		}
		schemaErr := schema.Validate(doc)
		if (loadErr == nil) != want || (schemaErr == nil) != want {
			t.Errorf("%s: want %v; Load says %v; the schema says %v", line, want, loadErr, schemaErr)
		}
	}
}

// TestSchemaDescribes: an editor has a sentence for every key.
func TestSchemaDescribes(t *testing.T) {
	var doc struct {
		Defs map[string]struct {
			AdditionalProperties *bool                     `json:"additionalProperties"`
			Properties           map[string]map[string]any `json:"properties"`
		} `json:"$defs"`
	}
	if err := json.Unmarshal(Schema(), &doc); err != nil {
		t.Fatal(err)
	}
	for name, def := range doc.Defs {
		if def.AdditionalProperties == nil || *def.AdditionalProperties {
			t.Errorf("%s takes unknown keys", name)
		}
		for key, p := range def.Properties {
			if s, _ := p["description"].(string); !strings.HasSuffix(s, ".") {
				t.Errorf("%s.%s has no sentence", name, key)
			}
		}
	}
	if len(doc.Defs) < 15 {
		t.Errorf("only %d definitions", len(doc.Defs))
	}
}
