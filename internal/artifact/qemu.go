package artifact

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/strata-hpc/strata/internal/sandbox"
)

const qemu = "qemu-system-x86_64"

// Accelerators of QEMU.
const (
	kvm = "kvm" // the processor's own virtualisation
	tcg = "tcg" // translation, some twenty times slower
)

// machine is a virtual machine to start.
type machine struct {
	Accel          string
	Memory         int // MiB
	CPUs           int
	Kernel, Initrd string // files
	Cmdline        string
	ShellTTY       int // number of the guest's serial line for the shell, 1 to 3
}

// QEMU gets its files as descriptors: whatever ends this process, none is left.
const (
	firstFile  = "/dev/fd/3"
	secondFile = 4
)

// config is in the format of QEMU's -readconfig. The kernel's command line is in
// there, for a process's arguments are for everybody to read.
func (m machine) config() (string, error) {
	config := fmt.Sprintf("[machine]\n  kernel = %q\n  initrd = %q\n  append = %q\n", m.Kernel, m.Initrd, m.Cmdline)
	if strings.Contains(m.Kernel+m.Initrd+m.Cmdline, `"`) || strings.Contains(config, `\`) {
		return "", errors.New("QEMU takes no quotes and backslashes in paths and kernel command lines")
	}
	return config, nil
}

// args is QEMU's command line. Its first file is the config, its second a socket,
// to which the guest's serial line for the shell is joined.
func (m machine) args() []string {
	args := []string{qemu, "-nodefaults", "-no-user-config", "-readconfig", firstFile,
		"-display", "none", "-no-reboot", "-machine", "q35",
		"-m", fmt.Sprint(m.Memory), "-smp", fmt.Sprint(m.CPUs),
		"-netdev", "user,id=net0", "-device", "virtio-net-pci,netdev=net0,romfile=",
		"-device", "virtio-rng-pci",
		"-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console"}
	for range m.ShellTTY - 1 {
		args = append(args, "-serial", "null")
	}
	args = append(args, "-chardev", fmt.Sprintf("socket,id=shell,fd=%d", secondFile), "-serial", "chardev:shell")
	if m.Accel == kvm {
		return append(args, "-accel", "kvm", "-cpu", "host")
	}
	// Nehalem is x86-64-v2, what today's distributions ask for. With the wider
	// registers of "max" or Haswell, translation takes half as long again.
	return append(args, "-accel", "tcg,thread=multi", "-cpu", "Nehalem")
}

// probeCode is a boot sector that writes 20,000 times to a port that nobody
// listens to, each of which leaves the guest once, and then to the port of
// QEMU's isa-debug-exit:
//
//	mov cx, 20000; l: out 0x80, al; loop l; mov dx, 0xf4; mov al, 0x10; out dx, al; hlt
var probeCode = []byte{0xb9, 0x20, 0x4e, 0xe6, 0x80, 0xe2, 0xfc, 0xba, 0xf4, 0x00, 0xb0, 0x10, 0xee, 0xf4}

const (
	probeStatus  = 0x10<<1 | 1 // isa-debug-exit: the value, shifted, and one
	probeTimeout = 3 * time.Second
)

// ProbeKVM says whether a guest really runs with KVM on this machine.
func ProbeKVM(ctx context.Context) (bool, error) {
	accel, err := chooseAccel(ctx)
	return accel == kvm, err
}

// chooseAccel returns kvm where a small guest shows that it works: a /dev/kvm
// that opens is not enough, for under some hypervisors its guests hang or
// crawl. Nothing is remembered: it may be different at the next call.
func chooseAccel(ctx context.Context) (string, error) {
	f, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0)
	if err != nil {
		return tcg, nil
	}
	f.Close()
	sector := make([]byte, 512)
	copy(sector, probeCode)
	sector[510], sector[511] = 0x55, 0xaa
	floppy, err := inMemory("probe", sector)
	if err != nil {
		return "", err
	}
	defer floppy.Close()
	probe, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	err = sandbox.Host(probe, sandbox.Cmd{Files: []*os.File{floppy}, Args: []string{qemu, "-nodefaults", "-no-user-config",
		"-display", "none", "-no-reboot", "-machine", "pc", "-accel", "kvm", "-m", "16",
		"-device", "isa-debug-exit,iobase=0xf4,iosize=0x04",
		"-drive", "file=" + firstFile + ",format=raw,if=floppy,readonly=on"}})
	var exit *sandbox.ExitError
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case errors.As(err, &exit) && exit.Status == probeStatus:
		return kvm, nil
	}
	return tcg, nil
}

// inMemory is a file that is in memory only.
func inMemory(name string, content []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate("strata-"+name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make a file in memory: %w", err)
	}
	f := os.NewFile(uintptr(fd), name)
	if _, err := f.Write(content); err != nil {
		f.Close()
		return nil, fmt.Errorf("make a file in memory: %w", err)
	}
	return f, nil
}
