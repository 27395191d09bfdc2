package layer

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// What strata.yaml takes for an artifact is what the table has.
func TestFormats(t *testing.T) {
	var types []string
	compressors, files := map[string]bool{}, map[string]bool{}
	for _, f := range Formats() {
		types = append(types, string(f.Type))
		for _, c := range f.Compressors {
			compressors[c.Name] = true
			if c.Level > c.Most {
				t.Errorf("%s: the usual level of %s is %d, the highest %d", f.Type, c.Name, c.Level, c.Most)
			}
		}
		if f.File == "" || files[f.File] {
			t.Errorf("%s: its file is %q", f.Type, f.File)
		}
		files[f.File] = true
		if got := f.Type.Format(); !reflect.DeepEqual(got, f) {
			t.Errorf("%s: %+v", f.Type, got)
		}
	}
	legal := func(field string) []string {
		of, _ := reflect.TypeFor[Artifact]().FieldByName(field)
		return strings.Split(of.Tag.Get("enum"), ",")
	}
	if got := legal("Type"); !slices.Equal(got, types) {
		t.Errorf("types in strata.yaml: %q", got)
	}
	if got := legal("Compression"); !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(maps.Keys(compressors))) {
		t.Errorf("compressors in strata.yaml: %q", got)
	}
	if f := ArtifactType("iso").Format(); f.Type != "" {
		t.Errorf("an artifact that there is none of: %+v", f)
	}
}

func TestBootable(t *testing.T) {
	for want, types := range map[bool][]ArtifactType{true: {Kernel, Erofs, Initrd}, false: {Kernel, Tar, Initrd}} {
		var im Image
		for _, a := range types {
			im.Artifacts = append(im.Artifacts, Artifact{Type: a})
		}
		if im.Bootable() != want {
			t.Errorf("%v can be booted: %v", types, !want)
		}
	}
	if f := Squashfs.Format(); !f.Block.Fits(4096) || f.Block.Fits(4095) || f.Block.Fits(5000) || f.Block.Fits(2<<20) || Erofs.Format().Block.Fits(4096) {
		t.Error("sizes of blocks")
	}
}
