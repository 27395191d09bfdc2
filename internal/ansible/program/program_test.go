package program

import (
	"slices"
	"strings"
	"testing"
)

// told is a reading as a text: "?" stands for anything, "@/" for the project's
// directory.
func told(r Reads) string {
	var all []string
	add := func(kind string, names []string) {
		names = slices.Clone(names)
		slices.Sort(names)
		for _, n := range slices.Compact(names) {
			all = append(all, kind+strings.NewReplacer(Unknown, "?", Project, "@/").Replace(n))
		}
	}
	outside := func(n string) bool { return strings.HasPrefix(n, "/") }
	add("", slices.DeleteFunc(slices.Clone(r.Files), outside))
	add("name ", slices.DeleteFunc(slices.Clone(r.Names), outside))
	if r.Commit {
		all = append(all, "commit")
	}
	for _, script := range r.Python {
		all = append(all, "python "+script)
	}
	if r.Wide != "" {
		all = append(all, "wide "+r.Wide)
	}
	return strings.Join(all, ", ")
}

// marked is a text with marks for ? and @/ of a test.
func marked(text string) string {
	return strings.NewReplacer("‹?›", Unknown, "@/", Project).Replace(text)
}

func TestShell(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		// Nothing of the project.
		{`date +%F`, ""}, {`hostname -f; id -u; uname -r; whoami`, ""}, {`which python3 || true`, ""}, {`getent hosts ‹?›`, ""},
		{`printenv HOME`, ""}, {`echo "‹?›" > out/file`, ""}, {`printf '%s' a`, ""}, {`sleep 5`, ""}, {`mkdir -p ‹?›/x && touch ‹?›/y && chmod 600 ‹?›/y`, ""},
		{`rm -rf ‹?›`, ""}, {`kubectl`, ""}, {`ps aux | grep ssh | awk '{print $2}' | xargs kill -9`, ""},
		{`KUBECONFIG=/root/.kube/config kubectl config set-cluster a --server=https://‹?›:6443`, ""},
		{`kubectl get nodes -o json | jq -r '.items[].metadata.name'`, ""}, {`kubectl create namespace ‹?›`, ""},
		{`az keyvault secret show --vault-name ‹?› -n ‹?›-password --query "value" -o tsv`, ""},
		{`aws s3 ls s3://bucket`, ""}, {`gcloud config get-value project`, ""}, {`openstack token issue -f value -c id`, "value"},
		{"set -o pipefail\npip show openstacksdk | fgrep Version | awk '{print $2}' | grep -o '^[0-9]*'", ""},
		{`wget -q ‹?› -O - | gpg --dearmor | sudo tee /usr/share/keyrings/‹?›.gpg > /dev/null`, ""},
		{`curl -sSL -H "A: b" https://x/‹?› -o /tmp/x`, ""}, {`openssl rand -base64 ‹?›`, ""}, {`openssl genrsa -out /tmp/k 2048`, ""},
		{`ssh-keygen -t ed25519 -N '' -f /tmp/key -C "‹?›"`, ""}, {`pip freeze`, ""}, {`python3 --version`, ""}, {`python3 -m venv /tmp/v`, ""},
		{`systemctl is-active ‹?›`, ""}, {`docker ps -q`, ""}, {`docker exec ‹?› rabbitmqctl status`, ""}, {`‹?›/bin/pip list`, ""},
		{`x=$(date); echo $x ${y:-z}`, ""}, {`for i in 1 2 3; do ping -c 1 host$i; done`, ""}, {`test "$x" = y && echo a`, ""},
		{`cat <<EOF | sudo tee /etc/x
data/a $(date)
EOF`, ""}, {`ssh root@‹?› cat data/a`, ""}, {`sed -n 's/a b/c/gp;/x/d;5,7p' /etc/hosts`, ""}, {`cat ~/.kube/config "$HOME/x"`, ""},
		{`sort | uniq -c | tr a b | wc -l`, ""}, {`git --version`, ""}, {`git clone https://x/y /tmp/z`, ""}, {`git -C /opt/other rev-parse HEAD`, ""},
		{`if [ -f /etc/x ]; then cat /etc/x; elif [[ -d /y ]]; then ls /y; fi`, ""}, {`sh -c 'date; uname'`, ""}, {`timeout 5 env A=b nice -n 3 date`, ""},
		{`f() { date; }; f`, ""}, {`rsync -a host:/x /y`, ""}, {`tar xzf - -C /tmp`, ""}, {`tee data/out`, ""}, {`diff <(date) <(uname)`, ""},
		{`ansible-galaxy collection list`, ""}, {`ip -j addr | jq '.[0]'`, ""}, {`exit 0`, ""}, {`t=$(mktemp -d); date > $t/x; cat $t/x "${t}"`, ""}, {`mv $(mktemp /tmp/x.XXX) ~/x; $(which date) +%s`, "wide a program whose name is computed"}, {`t=$(mktemp data.XXX); cat $t`, "?"}, {`. /etc/os-release && echo $ID`, ""},

		// Files that are named.
		{`cat data/a.txt`, "data/a.txt"}, {`cat data/*.txt`, "data/?.txt"}, {`cat data/[ab].txt data/?`, "data/?, data/?.txt"}, {`grep -f data/p ‹?› data/b`, "?, data/b, data/p"},
		{`grep ‹?› data/b`, "data/b"}, {`grep -e ‹?› data/b`, "data/b"}, {`grep -rn x data`, "data"}, {`grep -r x`, "."}, {`sed s/a/b/ data/a`, "data/a"}, {`sed -i -e 's/a/b/' -e '/x/d' data/a`, "data/a"},
		{`awk '{print $1}' data/a`, "data/a"}, {`head -n ‹?› data/a`, "data/a"}, {`tail -n+2 data/a | cut -d: -f1`, "data/a"}, {`jq . data/a.json`, "data/a.json"}, {`jq --slurpfile x data/b.json --arg y ‹?› '.' data/a.json`, "data/a.json, data/b.json"},
		{`yq eval '.a' data/a.yml`, "data/a.yml"}, {`wc -l < data/a`, "data/a"}, {`while read l; do echo $l; done < data/list`, "data/list"}, {`cat @/data/a`, "@/data/a"}, {`cat "@/"/data/a`, "@//data/a"},
		{`cat data/‹?›.txt`, "data/?.txt"}, {`cat ‹?›`, "?"}, {`f=data/a; cat $f`, "data/a"}, {`f=data; cat "$f/a" ${f}/b`, "data/a, data/b"}, {`for f in data/a data/b; do cat $f; done`, "data/a, data/b"},
		{`for f in data/*; do echo $f; done`, ""}, {`opts="-f data/x"; kubectl apply $opts`, "data/x"}, {`cat data/{a,b}.txt`, "data/a.txt, data/b.txt"}, {`cat $(echo data/a)`, "?"}, {`echo $(cat data/a)`, "data/a"}, {"echo `cat data/a`", "data/a"},
		{`diff <(sort data/a) <(sort data/b)`, "data/a, data/b"}, {`cd data && cat a`, "data/a"}, {`cd data; cd ..; cat a`, "a"}, {`(cd data; cat a); cat b`, "b, data/a"}, {`cd ‹?›; cat a`, "?/a"}, {`cd /tmp && cat a`, ""},
		{`if x=1; then cd data; fi; cat a`, "?/a"}, {`pushd @/data && cat a`, "@/data/a"}, {`cat data/a | ssh h 'cat > x'`, "data/a"}, {`cat <<< "$(cat data/a)"`, "data/a"},
		{"cat <<EOF\n$(cat data/a)\nEOF", "data/a"}, {"cat <<'EOF'\n$(cat data/a)\nEOF", ""}, {`cat "data/a b"`, "data/a b"}, {`cat data/a\ b`, "data/a b"}, {`cat ./data/a`, "./data/a"}, {`cat ../x`, "../x"},
		{`kubectl apply -f data/m.yml`, "data/m.yml"}, {`kubectl create configmap x --from-file=k=data/m`, "data/m"}, {`kubectl apply -k overlays/x`, "overlays/x"}, {`kubectl --kubeconfig conf/k get x`, "conf/k"}, {`helm upgrade --install x charts/x -f values/x.yml`, "charts/x, values/x.yml"},
		{`az group deployment create --template-file data/t.json --parameters @data/p.json`, "@data/p.json, data/p.json, data/t.json"}, {`aws s3 cp data/a s3://b`, "data/a"}, {`aws ec2 run-instances --user-data file://data/u`, "data/u"},
		{`curl -d @data/a http://x`, "data/a"}, {`curl -X POST --data-binary @data/a http://x`, "data/a"}, {`curl -T data/a http://x`, "data/a"}, {`curl -F "f=@data/a;type=x" http://x`, "data/a"}, {`curl -K data/c`, "data/c"}, {`curl -sd @data/a http://x`, "data/a"}, {`curl -d a=b http://x`, ""},
		{`curl file://data/x`, "data/x"}, {`wget -i data/urls`, "data/urls"}, {`wget --post-file=data/a http://x`, "data/a"}, {`openssl x509 -in certs/a.pem -noout -enddate`, "certs/a.pem"}, {`openssl req -new -key certs/k -out /tmp/c -subj /CN=‹?› -config conf/ssl`, "certs/k, conf/ssl"},
		{`ssh-keygen -y -f keys/a`, "keys/a"}, {`ssh-keygen -h -s ca/key -I id -n ‹?› keys/a.pub`, "ca/key, keys/a.pub"}, {`ssh -i keys/a h true`, "keys/a"}, {`scp -i keys/a data/a h:/x`, "data/a, keys/a"}, {`rsync -a --exclude ‹?› data/ h:/x`, "data/"},
		{`gpg --dearmor < keys/a.asc`, "keys/a.asc"}, {`gpg --import keys/a.asc`, "keys/a.asc"}, {`gpg --recv-keys ‹?›`, ""}, {`tar czf /tmp/x.tgz data`, "data"}, {`tar -C data -cf - .`, "., data"}, {`tar xf data/x.tgz -C /tmp`, "data/x.tgz"}, {`tar -xzf data/x.tgz`, "data/x.tgz"},
		{`pip install -r req/a.txt`, "req/?.txt, req/a.txt"}, {`pip install "openstacksdk==‹?›"`, "openstacksdk==?"}, {`pip install .`, "."}, {`ansible-galaxy install -r requirements-‹?›.yml`, "requirements-?.yml"}, {`ansible-galaxy collection install -r r.yml -p /x`, "r.yml"},
		{`cp data/a /etc`, "data/a"}, {`install -m 600 data/a /x`, "data/a"}, {`base64 -w0 data/a`, "data/a"}, {`sha256sum data/a`, "data/a"}, {`xargs cat < data/list`, "?, data/list"}, {`xargs -n1 -a data/list echo`, "data/list"}, {`ls data | xargs rm`, "name data"},
		{`find data -name '*.yml'`, "name data"}, {`find data -type f -exec cat {} +`, "data/?, name data"}, {`find data -size +1k`, "data"}, {`find data -name x -exec grep y {} \;`, "data/?, name data"}, {`find . -name x -delete`, "name ."},
		{`ls data`, "name data"}, {`ls -la data`, "data"}, {`[ -e data/a ]`, "name data/a"}, {`test -f data/a && echo`, "name data/a"}, {`[[ -f data/a && ! -d data/b ]]`, "name data/a, name data/b"}, {`[ -n "$x" -a -r data/c ]`, "name data/c"},
		{`CONF=conf/a date`, "conf/a"}, {`export A=conf/a:conf/b`, "conf/a, conf/b"}, {`env A=conf/a date`, "conf/a"}, {`sudo -u x cat data/a`, "data/a"}, {`bash -c "cat data/a"`, "data/a"}, {`bash -c 'cd data; cat a'; cat b`, "b, data/a"}, {`eval "cat data/a"`, "data/a"},
		{`docker run -v /x:/y image cat data/a`, ""}, {`docker cp data/a c:/x`, "data/a"}, {`apt-get install -y ./data/x.deb ‹?›`, "./data/x.deb"}, {`patch -p1 < data/p`, "data/p"}, {`mysql < data/a.sql`, "data/a.sql"}, {`psql -f data/a.sql`, "data/a.sql"},

		// What git says of the commit.
		{`git rev-parse --show-toplevel`, ""}, {`git rev-parse --is-inside-work-tree --git-dir`, ""}, {`git rev-parse --show-toplevel HEAD`, "commit"}, {`git rev-parse`, "commit"},
		{`git config --get remote.origin.url`, ""}, {`git config -f .gitmodules -l`, ".gitmodules"}, {`git config --blob HEAD:.gitmodules -l`, "wide git config"}, {`git remote get-url origin`, ""},
		{`git ls-files roles`, "name roles"}, {`git ls-files -z`, "name ."}, {`git ls-files -s`, "wide git ls-files"}, {`git ls-files 'a*'`, "name ."},
		{`git rev-parse HEAD`, "commit"}, {`git describe --always --tags`, "commit"}, {`git log -1 --format=%h`, "commit"}, {`cd ‹?› && git rev-parse HEAD`, "commit"}, {`git -C @/ log -1`, "commit"}, {`git status`, "wide git status"}, {`git diff --stat`, "wide git diff"},

		// What could read anything.
		{`scripts/gen.sh a`, "scripts/gen.sh, wide gen.sh"}, {`./gen.sh`, "./gen.sh, wide gen.sh"}, {`@/gen.sh data/a`, "@/gen.sh, wide gen.sh"}, {`@/scripts/gen.sh`, "@/scripts/gen.sh, wide gen.sh"}, {`gen data/a`, "wide gen"}, {`‹?› data/a`, "wide a program whose name is computed"}, {`$x data/a`, "wide a program whose name is computed"},
		{`python3 scripts/a.py`, "scripts/a.py, python scripts/a.py"}, {`cd sub; python3 -u ../scripts/a.py -n 3`, "sub/../scripts/a.py, python sub/../scripts/a.py"}, {`dd if=/dev/urandom of=x bs=1 count=8`, ""}, {`dd if=data/x of=‹?›/y`, "data/x"}, {`dd ‹?›`, "wide dd"}, {`python3 -c 'print(open("x"))'`, "wide python3"}, {`python3 -m x`, "wide python3"}, {`python3 - < a.py`, "a.py, wide python3"}, {`bash scripts/a.sh`, "scripts/a.sh, wide bash"}, {`curl x | bash`, "wide bash"}, {`. scripts/env`, "scripts/env, wide a shell"},
		{`make`, "wide make"}, {`perl -e 'open F'`, "wide perl"}, {`sed 'r data/a' x`, "wide sed, x"}, {`sed 's/a/b/e' x`, "wide sed, x"}, {`sed -n '/x/r data/a' x`, "wide sed, x"}, {`sed -f s x`, "s, wide sed, x"}, {`awk 'BEGIN { while ((getline l < "data/a") > 0) print l }'`, "wide awk"}, {`awk 'BEGIN { system("x") }'`, "wide awk"},
		{`find data -exec ./x {} +`, "./x, name data, wide x"}, {`xargs ./x`, "./x, wide x"}, {`PATH=bin:$PATH gen`, "wide a program by PATH"}, {`if [`, "wide a shell"}, {`docker build .`, "wide docker build"}, {`docker run -v ./x:/y image`, "wide docker run"}, {`docker run -v @/:/y image`, "wide docker run"},
		{`terraform output`, "wide terraform"}, {`ansible-playbook x.yml`, "wide ansible-playbook, x.yml"}, {`eval $x`, "wide a program whose name is computed"}, {`jq 'import "x" as $y; .' a`, "a, wide jq"}, {`yq 'load("x")' a`, "a, wide yq"}, {`f() { ./gen; }; f`, "./gen, wide gen"},
	} {
		got := told(Shell(marked(c.text)))
		parts := strings.Split(got, ", ")
		slices.Sort(parts)
		want := strings.Split(c.want, ", ")
		slices.Sort(want)
		if !slices.Equal(parts, want) {
			t.Errorf("%s\nreads %q; want %q", c.text, got, c.want)
		}
	}
}

func TestCommand(t *testing.T) {
	for text, want := range map[string]string{
		`cat data/a "data/b c" 'd'\ e`: "d e, data/a, data/b c",
		`echo a > b; cat x`:            "",
		`cat *.txt`:                    "*.txt",
		`cat "a`:                       "wide a command that cannot be read",
		``:                             "",
	} {
		if got := told(Command(text)); got != want {
			t.Errorf("%s reads %q; want %q", text, got, want)
		}
	}
	if got := told(Argv([]string{"cat", "a b", "c"})); got != "a b, c" {
		t.Errorf("cat reads %q", got)
	}
	if got := told(Environment("PATH", "/a:/b:"+Unknown)); got != "" {
		t.Errorf("PATH reads %q", got)
	}
}

// FuzzShell: nothing that a playbook has in it may bring the reader down.
func FuzzShell(f *testing.F) {
	for _, s := range []string{"cat a | b", "a() { a; }; a", "x=$x; cat $x$x$x", "cat {a,b}{c,d}{e,f}{1..9}", "cat {1..99999999}{1..99999999}", "$((", "<<A\n$(x", "[[ a =~ b ]]", "a=(b c); ${a[@]}", "bash -c 'bash -c \"$x\"'", "sed s", "a=$b$b$b$b$b$b$b$b; b=$c$c$c$c$c$c$c$c; c=$d$d$d$d$d$d$d$d; d=$e$e$e$e$e$e$e$e; e=$f$f$f$f$f$f$f$f; f=$g$g$g$g$g$g$g; cat $a", "sed s/a", "sed -e", "curl -d", "find", "tar", "git -C", "jq --arg", "env -C"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 2000 {
			return
		}
		Shell(text)
		Command(text)
	})
}
