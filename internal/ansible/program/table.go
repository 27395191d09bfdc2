package program

import "strings"

// The table of programs. What is not in it could read anything.

// takes says what a program's arguments are that are no options.
type takes int

const (
	nothing  takes = iota // no files
	files                 // files that it reads
	names                 // names that it looks at
	paths                 // files that it reads, if they look like paths
	commands              // a program with its arguments
)

// shape is the form of a program's command line.
type shape struct {
	takes  takes
	from   int    // how many arguments come before the first that takes is about
	reads  string // options whose value is a file that is read, with blanks between
	values string // further options with a value
	words  bool   // options are words behind one dash, none of which is several letters
	sub    map[string]shape
	also   string // what else there is to be said: see special
}

// nothings read no file of those that they are told.
const nothings = `
	: alias arch basename bg blkid break chgrp chmod chown chpasswd chronyc clear continue createdb createuser date df dig
	dirname disown dmidecode dpkg-architecture dpkg-query dropdb du echo eject envsubst ethtool exit export expr factor false
	fg findmnt firewall-cmd free fuser getconf getenforce getent getopt getopts groupadd groupdel groupmod groups halt hash
	host hostid hostname hostnamectl htpasswd hwclock id ifconfig ip ipcalc ipmitool iptables jobs journalctl kill killall
	last let loadkeys local locale localectl localedef logger loginctl logname lsb_release lsblk lscpu lshw lsmod lsof lspci
	lsusb lvs mesg mkdir mkfifo mknod mkpasswd mkswap mktemp modinfo modprobe mount mountpoint namei nc ncat netstat nft nmcli
	nproc nslookup ntpq numfmt nvidia-smi parted passwd pgrep ping pkill popd poweroff printenv printf ps pvs pwd pwgen read
	reboot renice resolvectl return rm rmdir rmmod route sacct sacctmgr scontrol semanage seq service sestatus set setenforce
	setsebool shift shopt shutdown sinfo sleep squeue ss stty subscription-manager swapoff swapon sync sysctl systemctl
	systemd-analyze tee timedatectl touch tput tr trap true truncate tty type ulimit umask umount unalias uname unlink unset
	update-alternatives update-ca-certificates update-ca-trust uptime useradd userdel usermod users uuidgen vgs virsh vmstat w
	wait wall whereis which who whoami yes`

// readers read the files that they are told.
const readers = `
	b2sum base32 base64 bc bunzip2 bzcat bzip2 cat cksum cmp column comm cp crontab csplit cut diff dos2unix dpkg dpkg-deb
	expand file fmt fold gunzip gzip head hexdump iconv insmod install join less link ln md5sum more mv named-checkconf nl nm
	objdump od patch paste pr readelf rev rpm rpm2cpio sha1sum sha224sum sha256sum sha384sum sha512sum shuf size sort split
	ssh-add ssh-copy-id strings sum tac tail tsort unexpand uniq unix2dos unxz unzip visudo wc xmllint xxd xz xzcat zcat zip
	zstd zstdcat`

// values of readers that are no files.
var readerValues = map[string]string{
	"head": "-n -c --lines --bytes", "tail": "-n -c --lines --bytes -s", "cut": "-d -f -c -b --delimiter --fields --characters --bytes --output-delimiter",
	"sort": "-k -t -o -S --key --field-separator --output", "uniq": "-f -s -w", "wc": "", "split": "-n -l -b -a -C", "base64": "-w --wrap", "fold": "-w --width",
	"nl": "-b -w -s -v", "od": "-A -t -N -j", "xxd": "-c -l -s -g", "shuf": "-n -i --head-count --input-range", "install": "-m -o -g --mode --owner --group", "zip": "-P -x",
	"unzip": "-d -P -x", "xmllint": "--xpath --format", "iconv": "-f -t --from-code --to-code", "diff": "-U -I --label", "join": "-t -j -1 -2 -o", "paste": "-d", "column": "-s -t -N -o",
	"cp": "-t --target-directory", "mv": "-t --target-directory", "dpkg": "--add-architecture --print-architecture -s -l -W --configure", "rpm": "-q --query --queryformat --qf -e --erase -E --eval",
	"hexdump": "-e -n -s", "dpkg-deb": "-f", "strings": "-n", "expand": "-t", "crontab": "-u", "ssh-copy-id": "-p -o",
}

// programs have shapes of their own.
var programs = map[string]shape{
	"grep": grep, "egrep": grep, "fgrep": grep, "zgrep": grep, "rg": grep,
	"sed": {takes: files, from: 1, reads: "-f --file", values: "-e --expression -l --line-length", also: "sed"},
	"awk": awk, "gawk": awk, "mawk": awk, "nawk": awk,
	"jq": {takes: files, from: 1, reads: "-f --from-file", values: "--indent", also: "jq"},
	"yq": {takes: files, from: 1, reads: "-f --from-file", values: "--indent -I -p -o --arg --argjson -s", also: "yq"},

	"dd":   {also: "dd"},
	"date": {reads: "-f --file"}, "hostname": {reads: "-F --file"},
	"apt": {takes: paths}, "apt-get": {takes: paths}, "dnf": {takes: paths}, "yum": {takes: paths}, "zypper": {takes: paths}, "apt-cache": {}, "apt-mark": {}, "apt-config": {},
	"ls": {takes: names, values: "-I --ignore --color --format --sort --time-style", also: "ls"}, "stat": {takes: files, values: "-c --format --printf"}, "tree": {takes: names, values: "-L -P -I"},
	"readlink": {takes: names}, "realpath": {takes: names, values: "--relative-to --relative-base"}, "test": {also: "tests"}, "[": {also: "tests"},
	"find":     {also: "find"},
	"xargs":    {takes: commands, reads: "-a --arg-file", values: "-n -I -L -P -d -s -E --max-args --max-procs --delimiter --replace", also: "xargs"},
	"parallel": {also: "unknown"},

	"sudo": {takes: commands, values: "-u -g -C -h -p -r -t -U -T --user --group --host --prompt"}, "doas": {takes: commands, values: "-u -C"},
	"env":  {takes: commands, values: "-u --unset -C --chdir -S --split-string", also: "env"},
	"nice": {takes: commands, values: "-n --adjustment"}, "ionice": {takes: commands, values: "-c -n -p"}, "nohup": wrapper, "setsid": wrapper, "exec": {takes: commands, values: "-a"},
	"time": {takes: commands, values: "-f -o"}, "builtin": wrapper, "command": {takes: commands, also: "which"}, "stdbuf": {takes: commands, values: "-i -o -e"},
	"timeout": {takes: commands, from: 1, values: "-k -s --kill-after --signal"}, "chroot": {also: "unknown"}, "unbuffer": wrapper, "chronic": wrapper, "proxychains": wrapper,
	"flock": {takes: commands, from: 1, values: "-w --timeout -E", also: "minusC"}, "su": {also: "minusC"}, "runuser": {also: "minusC"}, "watch": {also: "unknown"},
	"sh": {also: "sh"}, "bash": {also: "sh"}, "dash": {also: "sh"}, "ash": {also: "sh"}, "ksh": {also: "sh"}, "zsh": {also: "sh"},
	"eval": {also: "eval"}, "source": {also: "source"}, ".": {also: "source"}, "cd": {also: "cd"}, "pushd": {also: "cd"},
	"mapfile": {}, "readarray": {},

	"python": python, "python2": python, "python3": python, "pip": pip, "pip2": pip, "pip3": pip, "pipx": pip,
	"virtualenv": {values: "-p --python"}, "perl": {also: "versionOnly"}, "ruby": {also: "versionOnly"}, "node": {also: "versionOnly"}, "php": {also: "versionOnly"},
	"ansible": {also: "versionOnly"}, "ansible-playbook": {also: "versionOnly"}, "terraform": {also: "versionOnly"}, "make": {also: "versionOnly"},
	"ansible-galaxy": {takes: files, from: 2, reads: "-r --role-file --requirements-file --keyring", values: "-p --roles-path --collections-path --token --api-key --timeout -s --server -n", also: "required"},
	"ansible-vault":  {takes: files, from: 1, reads: "--vault-password-file --vault-id", values: "--output --encrypt-vault-id -n --name", sub: map[string]shape{"encrypt_string": {reads: "--vault-password-file"}}},
	"ansible-config": {}, "ansible-doc": {values: "-t"},

	"git": {also: "git"},
	"openssl": {takes: files, from: 1, words: true,
		reads:  "-in -inkey -config -CA -CAkey -CAserial -key -extfile -signkey -cert -certfile -certs -CAfile -CApath -rand -paramfile -verify -prverify -signature -untrusted -peerkey -revoke -spkac -ss_cert -infiles -passin -passout -kfile -recip -signer -content",
		values: "-out -keyout -subj -days -newkey -name -nameopt -dateopt -keyform -inform -outform -set_serial -addext -extensions -reqexts -caname -pkeyopt -algorithm -connect -servername -starttls -curves -sigalgs -iter -salt -S -K -iv -k -pass -md -checkend -ext -startdate -enddate -policy -serial -CSP -genparam -cipher -proxy -verify_return_error -attime -purpose -msg -rand_serial",
		sub: map[string]shape{
			"rand": {words: true, reads: "-rand", values: "-out"}, "genrsa": {words: true, reads: "-rand -passout", values: "-out"}, "genpkey": {words: true, reads: "-paramfile -config -pass", values: "-out -algorithm -pkeyopt -outform"},
			"version": {}, "passwd": {words: true, reads: "-in", values: "-salt"}, "s_client": {words: true, reads: "-cert -key -CAfile -CApath -pass", values: "-connect -servername -starttls"}, "ciphers": {}, "dhparam": {words: true, reads: "-in -rand", values: "-out"}, "ecparam": {words: true, reads: "-in -rand", values: "-out -name"}, "list": {},
		}},
	"ssh-keygen":  {takes: files, reads: "-f -s -D -R -F -k -Y", values: "-t -b -C -N -P -I -V -n -O -z -a -m -E -w -A -r -Z -M"},
	"ssh-keyscan": {reads: "-f", values: "-p -t -T"},
	"ssh":         {reads: "-i -F -E -S", values: "-p -l -o -L -R -D -J -W -b -c -m -e -B -I -O -Q"},
	"sshpass":     {takes: commands, reads: "-f", values: "-p -d -P"},
	"scp":         {reads: "-i -F", values: "-P -o -J -c -l -S", also: "remote"},
	"rsync":       {reads: "--exclude-from --include-from --files-from --password-file --filter -f", values: "-e --rsh --exclude --include --rsync-path --out-format --chown --chmod --timeout --port --bwlimit --partial-dir --temp-dir --log-file", also: "remote"},
	"sftp":        {reads: "-b -i -F", values: "-P -o"},
	"gpg":         gpg, "gpg2": gpg, "gpgv": gpg, "apt-key": {takes: files, from: 1, reads: "--keyring", values: "--keyserver --recv-keys", sub: map[string]shape{"list": {}, "adv": {reads: "--keyring"}, "del": {}, "fingerprint": {}}},
	"tar":     {takes: files, values: "--exclude --owner --group --mode --transform --strip-components --mtime --format --sort -b", reads: "-f --file -T --files-from -X --exclude-from -C --directory", also: "tar"},
	"cpio":    {also: "unknown"},
	"wget":    {reads: "-i --input-file --post-file --body-file --load-cookies --ca-certificate --certificate --private-key --config", values: "-O -o -P -e --header --output-document --user --password -t --tries -T --timeout -U --method --post-data", also: "urls"},
	"curl":    {reads: "-T --upload-file -K --config -E --cert --key --cacert --capath --netrc-file", also: "curl"},
	"sqlite3": {takes: files}, "mysql": {reads: "--defaults-file --defaults-extra-file"}, "mysqldump": {reads: "--defaults-file --defaults-extra-file"}, "psql": {reads: "-f --file", values: "-c --command"}, "pg_dump": {}, "mongo": {takes: files},
	"ldapsearch": {reads: "-y"}, "ldapadd": {reads: "-f -y"}, "ldapmodify": {reads: "-f -y"},

	"kubectl": cloud, "helm": cloud, "oc": cloud, "k3s": cloud, "az": cloud, "aws": cloud, "gcloud": cloud, "gsutil": cloud, "openstack": cloud, "nova": cloud, "glance": cloud, "doctl": cloud, "hcloud": cloud, "vault": cloud, "consul": cloud, "etcdctl": cloud, "influx": cloud, "cyclecloud": cloud, "azcopy": cloud, "crictl": cloud, "ctr": cloud, "ceph": cloud, "rbd": cloud, "radosgw-admin": cloud, "oci": cloud, "ibmcloud": cloud, "scaleway": cloud, "scw": cloud, "exo": cloud, "govc": cloud, "jwt": cloud, "flux": cloud, "istioctl": cloud, "mc": cloud, "rclone": cloud, "s3cmd": cloud, "skopeo": cloud,
	"docker": {also: "container"}, "podman": {also: "container"}, "nerdctl": {also: "container"},
}

var (
	wrapper = shape{takes: commands}
	cloud   = shape{also: "cloud"}
	grep    = shape{takes: files, from: 1, reads: "-f --file", values: "-e --regexp -A -B -C -m --max-count --color --include --exclude --exclude-dir --context", also: "grep"}
	awk     = shape{takes: files, from: 1, reads: "-f --file", values: "-F -v --field-separator --assign", also: "awk"}
	python  = shape{also: "python"}
	pip     = shape{takes: files, from: 1, reads: "-r --requirement -c --constraint -e --editable -f --find-links --cert --client-cert", values: "-i --index-url --extra-index-url -t --target --proxy --timeout --prefix --root --python-version --format --trusted-host", also: "required",
		sub: map[string]shape{"show": {}, "list": {}, "freeze": {}, "config": {}, "check": {}, "cache": {}, "--version": {}, "-V": {}, "uninstall": {reads: "-r --requirement"}, "index": {}, "search": {}, "help": {}}}
	gpg = shape{takes: files, reads: "--keyring --passphrase-file --import-filter", values: "-o --output -u -r --recipient --local-user --homedir --keyserver --passphrase --cipher-algo --digest-algo --trust-model --pinentry-mode --default-key --batch-name", also: "gpg"}
)

// shapeOf is the shape of a program by its name.
func shapeOf(name string) (shape, bool) {
	if s, ok := programs[name]; ok {
		return s, true
	}
	if nothingSet[name] {
		return shape{}, true
	}
	if readerSet[name] {
		return shape{takes: files, values: readerValues[name]}, true
	}
	return shape{}, false
}

var nothingSet, readerSet = wordsOf(nothings), wordsOf(readers)

func wordsOf(list string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(list) {
		set[w] = true
	}
	return set
}
