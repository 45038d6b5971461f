"""The Space: the app of `koqas.interface` over the model repository that KOQAS_MODEL names."""

import os

from koqas.interface.__main__ import main

OPTIONS = {"KOQAS_MODEL": "--model", "KOQAS_FEEDBACK_REPO": "--feedback_repo", "KOQAS_ENDPOINT": "--endpoint"}

if __name__ == "__main__":
    given = {"KOQAS_MODEL": "org/repo"} | {name: os.environ[name] for name in OPTIONS if os.environ.get(name)}
    arguments = [word for name, value in given.items() for word in (OPTIONS[name], value)]
    raise SystemExit(main([*arguments, "--host", "0.0.0.0"]))
