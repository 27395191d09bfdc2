package python

import "strings"

func words(list string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(list) {
		set[w] = true
	}
	return set
}

// modules of Python, of Ansible and beside them that read no file by themselves, whatever
// is done with them. Of those in careful some things do: see moduleUses.
var harmless = words(`__future__ abc base64 binascii collections collections.abc copy datetime decimal difflib enum functools hashlib hmac
	ipaddress itertools json math numbers random re secrets string struct textwrap time typing uuid six netaddr
	ansible.constants ansible.errors ansible.plugins.action ansible.module_utils._text ansible.module_utils.common.text.converters
	ansible.module_utils.common.collections ansible.module_utils.common.dict_transformations ansible.module_utils.parsing.convert_bool
	ansible.module_utils.six ansible.utils.display ansible.utils.vars ansible.utils.unsafe_proxy oslo_config.iniparser`)

// careful are modules of which only what is named here is used.
var careful = words(`os shutil tempfile yaml`)

// moduleUses are what of the careful modules reads nothing, by what follows the module's
// name. Those of looks look for the file that they are given first.
var (
	moduleUses = words(`os.R_OK os.W_OK os.X_OK os.F_OK os.sep os.linesep os.path.join os.path.dirname os.path.basename os.path.splitext
		os.path.normpath os.path.isabs os.path.sep os.remove os.unlink os.rmdir os.makedirs os.mkdir os.chmod os.environ
		shutil.rmtree tempfile.mkdtemp tempfile.mkstemp tempfile.gettempdir
		yaml.safe_load yaml.dump yaml.safe_dump yaml.YAMLError`)
	looks = words(`os.access os.path.exists os.path.isfile os.path.isdir os.path.lexists os.path.islink`)
)

// known reports whether what is imported reads nothing by itself.
func known(name string) bool {
	switch name {
	case "io.StringIO", "io.BytesIO", "ansible.constants", "ansible.plugins.action", "ansible.template.trust_as_template":
		return true
	case "io", "ansible", "ansible.plugins":
		return false
	}
	if careful[name] || harmless[name] {
		return true
	}
	for i := strings.LastIndexByte(name, '.'); i > 0; i = strings.LastIndexByte(name[:i], '.') {
		if harmless[name[:i]] {
			return true
		}
	}
	return false
}

// keywords and builtins read nothing, whatever they are given.
var (
	keywords = words(`and as assert break class continue def del elif else except finally for from if import in is not or pass raise return try
		while with None True False self cls super`)
	builtins = words(`abs all any bool bytes bytearray dict divmod enumerate filter float frozenset int isinstance issubclass len list map max min
		object ord chr pow print property range repr reversed round set slice sorted staticmethod classmethod str sum tuple type zip hash id
		Exception AttributeError FileNotFoundError ImportError IndexError IOError KeyError NotImplementedError OSError RuntimeError TypeError UnicodeError ValueError
		__name__ __file__ __metaclass__`)
	// wrappers return what they are given, perhaps as another kind of text.
	wrappers = words(`to_text to_bytes to_native str list tuple trust_as_template sorted reversed`)
)

// callable are action plugins that read no file but those that src names.
var callable = words("copy ansible.builtin.copy ansible.legacy.copy")

// taskAttributes of the plugin's own task say nothing else of the project.
var taskAttributes = words("args copy action async_val check_mode diff no_log become environment delegate_to")

// attributes of whatever that read nothing; what is more in Ansible's own objects is not
// among them.
var attributes = words(`append extend insert pop get update copy items keys values setdefault join split rsplit splitlines strip lstrip rstrip
	startswith endswith replace lower upper title capitalize format encode decode index count sort reverse remove add discard union clear partition
	rpartition zfill isdigit isalpha find rfind read readline readlines close write writelines getvalue seek tell flush run
	__init__ __name__ __doc__ args message _display _shell check_mode diff no_log action async_val become
	tmpdir display v vv vvv vvvv vvvvv warning deprecated debug verbose _supports_check_mode _supports_async TRANSFERS_FILES _VALID_ARGS
	_remove_tmp_path _make_tmp_path _remote_expand_user _remote_file_exists _fixup_perms2 _transfer_data _execute_module
	_low_level_execute_command _execute_remote_stat join_path ActionBase BaseParser OrderedDict`)
