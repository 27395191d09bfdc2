package artifact
import ("testing";"context";"time";"os";"os/exec";"github.com/strata-hpc/strata/internal/layer")
func TestZZExport(t *testing.T){
 for range 2 {
 s:=time.Now()
 _,m:=export(t,"/tmp/art/big",Options{},layer.Artifact{Type:layer.Squashfs})
 e:=time.Since(s)
 s=time.Now()
 exec.Command("mksquashfs","/tmp/art/big",t.TempDir()+"/x","-comp","zstd","-Xcompression-level","3","-b","256K","-quiet","-no-progress").Run()
 t.Log(e,time.Since(s),m.Files[0])
 x:=&exporter{tree:Tree{"/tmp/art/big"}}
 s=time.Now(); x.look(context.Background()); t.Log("survey",time.Since(s))
 }
}
func TestZZBad(t *testing.T){
	image := layer.Image{Name: "test", Node: "base",
		Artifacts: []layer.Artifact{{Type: layer.Squashfs}, {Type: layer.Kernel}, {Type: layer.Initrd}}, Tests: []layer.Test{{Name:"x",Run:"true"}}}
	dir := t.TempDir()
	m, err := Export(context.Background(), Tree{"/tmp/art/boot"}, image, dir, Options{})
	if err != nil { t.Fatal(err) }
	if os.Getenv("BAD")=="root" { os.WriteFile(dir+"/rootfs.squashfs",make([]byte,4096),0o644) }
	if os.Getenv("BAD")=="panic" { m.Cmdline="init=/nonexistent panic=0 rdinit=/bin/false" }
	if os.Getenv("BAD")=="unit" { m.Cmdline="systemd.wants=nonexistent.service systemd.run=/bin/false systemd.run_failure_action=none systemd.run_success_action=none" }
	if os.Getenv("BAD")=="emergency" { m.Cmdline="systemd.unit=emergency.target" }
	s:=time.Now()
	r,err:=Boot(context.Background(),dir,m,image,BootOptions{Timeout:200*time.Second})
	t.Logf("%v %v", time.Since(s), err)
	if r != nil { t.Logf("%+v",r) }
}
