"""What to install on which system, word for word."""

PROGRAMS = {
    "Debian, Ubuntu": "sudo apt-get install build-essential cmake python3-venv",
    "Fedora": "sudo dnf install gcc-c++ make cmake",
    "macOS": "xcode-select --install && brew install cmake",
    "Windows": (
        "winget install Kitware.CMake; winget install Microsoft.VisualStudio.2022.BuildTools"
        ' --override "--wait --passive --add Microsoft.VisualStudio.Workload.VCTools'
        ' --includeRecommended"'
    ),
}
PYTHON = {
    "Debian, Ubuntu": "sudo apt-get install python3-venv",
    "Fedora": "sudo dnf install python3",
    "macOS": "brew install python",
    "Windows": "winget install Python.Python.3.13",
}


def install_block(commands: dict[str, str]) -> str:
    """One line a system, commands aligned."""
    width = max(map(len, commands)) + 2
    lines = [f"  {system:<{width}}{command}" for system, command in commands.items()]
    return "\n".join(["Install what is missing, then run the same command again:", *lines])
