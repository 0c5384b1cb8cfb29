#!/usr/bin/env bash
# Installs Raceway as a systemd service from this checkout; run it again to upgrade. Debian 12, Ubuntu 24.04 or newer.
#   sudo deploy/install.sh                 program in /opt/raceway, configuration in /etc/raceway, data in /var/lib/raceway
#   sudo deploy/install.sh --uninstall     removes the program and the unit; keeps configuration and data
#   deploy/install.sh --root DIR           a trial: the same files below DIR, needs no root, touches no service
source "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib/environment.sh"

usage() {
  sed -n '2,5s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
  exit 2
}

root='' action=install
while [ $# -gt 0 ]; do
  case $1 in
    --root) root=$(realpath -m "${2:?--root needs a folder}"); shift 2 ;;
    --uninstall) action=uninstall; shift ;;
    *) usage ;;
  esac
done

program=$root/opt/raceway
settings=$root/etc/raceway
data=$root/var/lib/raceway
unit=$root/etc/systemd/system/raceway.service
command=$root/usr/local/bin/raceway

# for_real COMMAND...: talks to systemd, which a trial leaves alone and a container does not have.
for_real() { if [ -z "$root" ] && [ -d /run/systemd/system ]; then "$@"; fi; }

# lay FROM TO: installs a file only if it is not there, for what belongs to the plant afterwards.
lay() { if [ -e "$2" ]; then say "kept    $2"; else install -D -m 644 "$1" "$2" && say "new     $2"; fi; }

install_program() {
  local copy wanted
  copy=$(mktemp -d)
  # A copy, so that building as root leaves nothing in the checkout.
  (cd "$top" && cp -r --parents agent collectors pyproject.toml README.md LICENSE "$copy")
  find "$copy" -name __pycache__ -prune -exec rm -rf {} +
  wanted=$(cd "$copy" && { find . -type f -print0 | sort -z | xargs -0 sha256sum; stamp_of requirements.lock; } | sha256sum)
  if [ "$(cat "$program/stamp" 2>/dev/null)" = "$wanted" ] && [ -x "$program/bin/raceway" ]; then
    say "kept    $program"
  else
    mkdir -p "$program"
    make_environment "$program" "$top/requirements.lock"
    pip_install "$program" --no-index --no-build-isolation --force-reinstall "$copy"
    printf '%s\n' "$wanted" >"$program/stamp"
    say "new     $program"
  fi
  rm -rf "$copy"
  install -D -m 644 "$top/README.md" "$program/share/raceway/README.md"
  mkdir -p "$(dirname "$command")"
  ln -sfn /opt/raceway/bin/raceway "$command"
}

install_settings() {
  local each
  install -d -m 755 "$settings"
  install -d -m 700 "$settings/secrets"
  lay "$top/config/plant.example.yaml" "$settings/plant.yaml"
  install -m 644 "$top/config/plant.schema.json" "$settings/plant.schema.json" # the editor completes plant.yaml from it
  for each in "$top"/config/{tags,factors}/*; do
    if [ -f "$each" ]; then lay "$each" "$settings/${each#"$top/config/"}"; fi
  done
}

install_unit() {
  install -D -m 644 "$top/deploy/systemd/raceway.service" "$unit"
  say "new     $unit"
  for_real systemctl daemon-reload
  for_real systemctl try-restart raceway.service
}

uninstall() {
  for_real systemctl disable --now raceway.service || true
  rm -rf "$program"
  rm -f "$unit" "$command"
  for_real systemctl daemon-reload
  say "removed the program and the unit. Kept: configuration in $settings, data in $data"
  say "to remove those too: rm -r $settings $data $root/var/lib/private/raceway"
}

if [ -z "$root" ] && [ "$(id -u)" != 0 ]; then stop "this writes to /opt and /etc: run it with sudo, or try --root DIR"; fi
if [ "$action" = uninstall ]; then
  uninstall
  exit
fi
umask 022
install_program
install_settings
install_unit
cat >&2 <<END

Raceway is installed. Next:
  1. Edit $settings/plant.yaml; put secrets into files in $settings/secrets: influx.token, private keys
  2. raceway check $settings/plant.yaml      every error with its line
     raceway test $settings/plant.yaml       connects and reads every tag once
  3. systemctl enable --now raceway
     systemctl status raceway; journalctl -u raceway -f
END
