"""Our plugin's file among OpenCode's, or its fork's: one is loaded from its own folder, whatever else is set."""

from dataclasses import dataclass
from pathlib import Path

from hivemind_cli.hosts.base import Edit
from hivemind_cli.hosts.shim import Plugin


@dataclass(frozen=True, slots=True)
class PluginFolder:
    """Where one of them loads plugins from. `config_dir` is what XDG_CONFIG_HOME names, on macOS too.

    OPENCODE_CONFIG_DIR names one more folder, beside this one.
    """

    label: str
    own: str
    """Its folder in the folder of configurations."""
    plugins: str
    """In that, the folder of plugins."""

    def installed(self, home: Path, *, config_dir: Path | None = None) -> bool:
        """Is it here, by its own folder, of configuration or of data?"""
        return self._folder(home, config_dir).is_dir() or (home / ".local" / "share" / self.own).is_dir()

    def wired(self, home: Path, command: str, *, config_dir: Path | None = None) -> bool:
        """Does our plugin stand there, with this command?"""
        return self._plugin.wired(self._file(home, config_dir), command)

    def notices(self, home: Path, *, config_dir: Path | None = None) -> list[str]:
        """Nothing in its configuration keeps a plugin from running; `--pure` is given anew at each start."""
        return []

    def plan_install(self, home: Path, command: str, *, config_dir: Path | None = None) -> list[Edit]:
        """The plugin's file. HostError: one of a person's stands there."""
        return self._plugin.plan(self._file(home, config_dir), command)

    def plan_uninstall(self, home: Path, command: str, *, config_dir: Path | None = None) -> list[Edit]:
        """The plugin's file is removed, whichever hivemind wrote it."""
        return self._plugin.plan_removal(self._file(home, config_dir))

    @property
    def _plugin(self) -> Plugin:
        return Plugin(self.label, ("runner.js", "opencode/hivemind.js"))

    def _folder(self, home: Path, config_dir: Path | None) -> Path:
        return (config_dir or home / ".config") / self.own

    def _file(self, home: Path, config_dir: Path | None) -> Path:
        return self._folder(home, config_dir) / self.plugins / "hivemind.js"
