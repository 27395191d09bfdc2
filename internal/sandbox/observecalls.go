package sandbox

import "golang.org/x/sys/unix"

// use is what a call can find out about a file that it names.
type use uint8

const (
	usesContent use = iota + 1 // it opens, executes or renames it, or asks for its size and times
	usesOpen                   // the same, as its flags say
	usesKind                   // it learns whether there is something, and what
	usesLink                   // it reads where a link leads
	usesNames                  // it lists a directory, which is an open file
	usesPaths                  // it changes what paths mean, so that nothing is known from there on
	usesOthers                 // it talks to another program, which may read for it
)

// call is how a system call names a file.
type call struct {
	use    use
	dir    int  // the argument that has the directory's descriptor; none: the current one
	path   int  // the argument that points to the path; none: the descriptor is all
	second int  // the argument of a second path, two after its directory's if there is one; 0: none
	stays  bool // it does not follow a link at the end, whatever its flags
	flags  int  // the argument with AT_SYMLINK_NOFOLLOW; 0: none
}

const none = -1

// calls are those that can tell something about files, of every architecture.
var calls = map[uint32]call{
	unix.SYS_OPENAT:            {use: usesOpen, dir: 0, path: 1, flags: 2},
	unix.SYS_OPENAT2:           {use: usesContent, dir: 0, path: 1},
	unix.SYS_EXECVE:            {use: usesContent, dir: none, path: 0},
	unix.SYS_EXECVEAT:          {use: usesContent, dir: 0, path: 1},
	unix.SYS_STATX:             {use: usesContent, dir: 0, path: 1, flags: 2},
	unix.SYS_NAME_TO_HANDLE_AT: {use: usesContent, dir: 0, path: 1},
	unix.SYS_LINKAT:            {use: usesContent, dir: 0, path: 1, second: 3},
	unix.SYS_RENAMEAT2:         {use: usesContent, dir: 0, path: 1, second: 3, stays: true},
	unix.SYS_TRUNCATE:          {use: usesContent, dir: none, path: 0},
	unix.SYS_GETXATTR:          {use: usesKind, dir: none, path: 0},
	unix.SYS_LGETXATTR:         {use: usesKind, dir: none, path: 0, stays: true},
	unix.SYS_LISTXATTR:         {use: usesKind, dir: none, path: 0},
	unix.SYS_LLISTXATTR:        {use: usesKind, dir: none, path: 0, stays: true},
	unix.SYS_SETXATTR:          {use: usesKind, dir: none, path: 0},
	unix.SYS_LSETXATTR:         {use: usesKind, dir: none, path: 0, stays: true},
	unix.SYS_FACCESSAT:         {use: usesKind, dir: 0, path: 1},
	unix.SYS_FACCESSAT2:        {use: usesKind, dir: 0, path: 1, flags: 3},
	unix.SYS_STATFS:            {use: usesKind, dir: none, path: 0},
	unix.SYS_CHDIR:             {use: usesKind, dir: none, path: 0},
	unix.SYS_MKDIRAT:           {use: usesKind, dir: 0, path: 1, stays: true},
	unix.SYS_MKNODAT:           {use: usesKind, dir: 0, path: 1, stays: true},
	unix.SYS_SYMLINKAT:         {use: usesKind, dir: 1, path: 2, stays: true},
	unix.SYS_UNLINKAT:          {use: usesKind, dir: 0, path: 1, stays: true},
	unix.SYS_FCHMODAT:          {use: usesKind, dir: 0, path: 1},
	unix.SYS_FCHOWNAT:          {use: usesKind, dir: 0, path: 1, flags: 4},
	unix.SYS_UTIMENSAT:         {use: usesKind, dir: 0, path: 1, flags: 3},
	unix.SYS_INOTIFY_ADD_WATCH: {use: usesKind, dir: none, path: 1},
	unix.SYS_READLINKAT:        {use: usesLink, dir: 0, path: 1, stays: true},
	unix.SYS_GETDENTS64:        {use: usesNames, dir: 0, path: none},

	unix.SYS_CHROOT:            {use: usesPaths},
	unix.SYS_PIVOT_ROOT:        {use: usesPaths},
	unix.SYS_MOUNT:             {use: usesPaths},
	unix.SYS_MOVE_MOUNT:        {use: usesPaths},
	unix.SYS_OPEN_TREE:         {use: usesPaths},
	unix.SYS_SETNS:             {use: usesPaths},
	unix.SYS_OPEN_BY_HANDLE_AT: {use: usesPaths},
	unix.SYS_CONNECT:           {use: usesOthers},
}

// absent are calls that do what no listener sees, and that programs do without
// where a kernel has none: files by way of io_uring, and processes whose flags
// lie in memory.
var absentCalls = []uint32{unix.SYS_IO_URING_SETUP, unix.SYS_CLONE3}

// observing is the filter of a program that is observed. Calls of another
// architecture are all told, and make what it reads unknown.
func observing(listed map[uint32]call) []unix.SockFilter {
	const (
		allow  = unix.SECCOMP_RET_ALLOW
		tell   = unix.SECCOMP_RET_USER_NOTIF
		lacks  = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
		least  = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K
		anyBit = unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K
		args   = 16 // offset of the first argument's lower half
		x32    = 0x40000000
	)
	f := []unix.SockFilter{
		{Code: load, K: archOffset},
		{Code: jumpEqual, K: nativeArch(), Jt: 1},
		{Code: ret, K: tell},
		{Code: load, K: nrOffset},
	}
	is := func(call uint32, verdict uint32) {
		f = append(f, unix.SockFilter{Code: jumpEqual, K: call, Jf: 1}, unix.SockFilter{Code: ret, K: verdict})
	}
	if nativeArch() == unix.AUDIT_ARCH_X86_64 {
		f = append(f, unix.SockFilter{Code: least, K: x32, Jf: 1}, unix.SockFilter{Code: ret, K: lacks})
	}
	for _, call := range absentCalls {
		is(call, lacks)
	}
	for call := range listed {
		is(call, tell)
	}
	for _, call := range []uint32{unix.SYS_UNSHARE, unix.SYS_CLONE} {
		f = append(f,
			unix.SockFilter{Code: jumpEqual, K: call, Jf: 4},
			unix.SockFilter{Code: load, K: args},
			unix.SockFilter{Code: anyBit, K: unix.CLONE_NEWNS, Jf: 1},
			unix.SockFilter{Code: ret, K: tell},
			unix.SockFilter{Code: ret, K: allow},
		)
	}
	return append(f, unix.SockFilter{Code: ret, K: allow})
}
