package store

// identity is a kind of file that a package's script makes when it is installed
// and that no two cluster nodes may share: all that boot an image would. Only what
// the script made goes; a site's own file in its place stays.
type identity struct {
	pattern string // as of path.Match, relative to the root
	pkg     string // Debian's name of the package
	// anew says how a cluster node gets its own; "" if nothing would make it one.
	// Then the file stays, and is told of.
	anew    string
	instead string // what the file says instead, for the package to make it anew
	// unit is what makes it at boot where the package does not: a file below
	// usr/lib/systemd/system, and its content.
	unit, content string
	wantedBy      string // the target that starts the unit; "" if it is a part of the package's own
}

const atStart = "# Made by Strata: the image has none, so that no two cluster nodes share it.\n[Service]\n"

// identities lists them. It comes of installing 370 packages of Debian 12 twice, and
// looking at what differed (TestManyPackages does it again).
var identities = []identity{
	{pattern: "etc/nvme/hostnqn", pkg: "nvme-cli", anew: "nvme takes the machine's own UUID"},
	{pattern: "etc/nvme/hostid", pkg: "nvme-cli", anew: "nvme takes the machine's own UUID"},
	{pattern: "etc/iscsi/initiatorname.iscsi", pkg: "open-iscsi", anew: "iscsid makes one when it starts", instead: "GenerateName=yes\n"},
	{pattern: "etc/hostid", pkg: "zfsutils-linux", anew: "it follows from the machine's address"},
	{pattern: "etc/pacemaker/authkey", pkg: "pacemaker", anew: "only pacemaker_remote needs one, which is the site's"},
	{pattern: "etc/popularity-contest.conf", pkg: "popularity-contest", anew: "nothing is reported until it is configured"},
	{pattern: "etc/cron.d/popularity-contest", pkg: "popularity-contest", anew: "nothing is reported until it is configured"},
	{pattern: "var/lib/rabbitmq/.erlang.cookie", pkg: "rabbitmq-server", anew: "the server makes one when it starts"},
	{pattern: "var/lib/certmonger/cas/*", pkg: "certmonger", anew: "the daemon makes them when it starts"},
	{pattern: "var/lib/certmonger/local/*", pkg: "certmonger", anew: "the daemon makes them when it starts"},
	{pattern: "etc/munge/munge.key", pkg: "munge", anew: "made when munge starts, unless the site has put its own there",
		unit:    "munge.service.d/50-strata-identity.conf",
		content: atStart + "ExecStartPre=-/usr/sbin/mungekey --create\n"},
	{pattern: "etc/bind/rndc.key", pkg: "bind9", anew: "made when named starts",
		unit:    "named.service.d/50-strata-identity.conf",
		content: atStart + "ExecStartPre=-/bin/sh -c 'test -s /etc/bind/rndc.key || rndc-confgen -a -u bind'\n"},
	{pattern: "etc/dropbear/dropbear_*_host_key", pkg: "dropbear", anew: "made when somebody first connects",
		unit:    "dropbear.service.d/50-strata-identity.conf",
		content: atStart + "Environment=DROPBEAR_EXTRA_ARGS=-R\n"},
	{pattern: "etc/xrdp/rsakeys.ini", pkg: "xrdp", anew: "made when xrdp starts",
		unit: "xrdp.service.d/50-strata-identity.conf",
		content: atStart + "ExecStartPre=-/bin/sh -c 'test -s /etc/xrdp/rsakeys.ini || " +
			"{ xrdp-keygen xrdp /etc/xrdp/rsakeys.ini && chown xrdp:xrdp /etc/xrdp/rsakeys.ini; }'\n"},
	cfengine("var/lib/cfengine3/ppkeys/localhost.*"),
	cfengine("var/lib/cfengine3/randseed"),
	cfengine("var/lib/cfengine3/state/*"),
	snakeoil("etc/ssl/private/ssl-cert-snakeoil.key"),
	snakeoil("etc/ssl/certs/ssl-cert-snakeoil.pem"),
	// These are more than an identity: without them the service has nothing to
	// work with.
	{pattern: "var/lib/mysql/ibdata1", pkg: "mariadb-server"},
	{pattern: "var/lib/postgresql/*/*/global/pg_control", pkg: "postgresql"},
	{pattern: "var/lib/ldap/data.mdb", pkg: "slapd"},
	{pattern: "etc/bacula/common_default_passwords", pkg: "bacula-common"},
	{pattern: "etc/bacula/bacula-fd.conf", pkg: "bacula-fd"},
}

func cfengine(pattern string) identity {
	return identity{pattern: pattern, pkg: "cfengine3", anew: "made when cfengine starts",
		unit:    "cfengine3.service.d/50-strata-identity.conf",
		content: atStart + "ExecStartPre=-/bin/sh -c 'test -s /var/lib/cfengine3/ppkeys/localhost.priv || cf-key'\n"}
}

func snakeoil(pattern string) identity {
	return identity{pattern: pattern, pkg: "ssl-cert", anew: "made at boot", wantedBy: "basic.target",
		unit: "strata-snakeoil.service",
		content: `[Unit]
Description=Certificate that the image must not have
ConditionPathExists=!/etc/ssl/private/ssl-cert-snakeoil.key
DefaultDependencies=no
After=sysinit.target
Before=basic.target shutdown.target
Conflicts=shutdown.target
[Service]
Type=oneshot
ExecStart=/usr/sbin/make-ssl-cert generate-default-snakeoil --force-overwrite
`}
}
