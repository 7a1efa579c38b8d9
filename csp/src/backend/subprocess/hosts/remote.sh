# What a host that `ssh` reaches runs: it finds the executable or takes it from standard input, and starts it.
# Ahead of it stand `hash=…; size=…; machine=…;`. Its lines become one, between apostrophes, so it has no
# apostrophe, no backslash and no exclamation mark. Then the shells of all users understand it.
die() { echo "csp: $*" >&2; exit 1; };
check() { found=$(sha256sum < "$1") || die "this host has no sha256sum"; case $found in "$hash "*) return 0 ;; esac; return 1; };
clean() { rm -f "$new"; };
there=$(uname -m);
case $machine in "" | "$there") ;; *) die "the executable is made for $machine, and this host is $there" ;; esac;
case $HOME in /*) ;; *) die "HOME is not set to a folder" ;; esac;
mask=$(umask);
umask 077;
user=$(id -u);
folder=$HOME/.cache/csp;
mkdir -p "$HOME/.cache" || exit 1;
mkdir -m 700 "$folder" 2>/dev/null;
is=$(ls -ldn "$folder") || exit 1;
set -- $is;
case "$1 $3" in drwx--[-S]---*" $user") ;; *) die "$folder must be a folder of user $user with mode 0700 and not a link, and it is: $is" ;; esac;
file=$folder/$hash;
if [ -L "$file" ]; then rm -f "$file"; fi;
if [ -f "$file" ] && check "$file"; then
touch "$file" && chmod 700 "$file" || exit 1;
else
rm -f "$file" || exit 1;
find "$folder" -name "copy.*" -mtime +0 -exec rm -f {} +;
new=$(mktemp "$folder/copy.XXXXXX") || exit 1;
trap clean 0;
trap "exit 1" 1 2 15;
echo; echo "csp: this host needs the executable, protocol 1";
head -c "$size" > "$new" || exit 1;
check "$new" || die "the executable has not come whole";
chmod 700 "$new" && mv -f "$new" "$file" || exit 1;
trap - 0 1 2 15;
ls -t "$folder" | grep -Ex "[0-9a-f]{64}" | tail -n +5 | while read -r old; do rm -f "$folder/$old"; done;
fi;
umask "$mask";
exec env CSP_SUBPROCESS=host "$file"
