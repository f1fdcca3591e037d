"""Classes of commands: main group by topic, stage with subcommands, examples."""

from __future__ import annotations

import itertools
from collections.abc import Callable, MutableMapping
from typing import Any

import click

from pipeline.errors import UserError
from pipeline.runtime.logs import log_to_terminal
from pipeline.runtime.memory import first_line, is_full


def examples(*lines: str) -> str:
    """End of a command's help text: commands as a user types them."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


SMALLER = (
    "Free it of other programs, take a smaller batch (--set train.batch_size=..., or train.accumulate=2 for pieces of "
    "the same batch; eval.batch_size, danet.batch_size; --batch-size of sorn embed), or use --device cpu."
)


class Commands(click.Group):
    """Main group of commands by topic.

    A UserError of a command becomes its message and exit code 1, and so does a full memory.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.topics: dict[str, list[str]] = {}

    def add_topic(self, title: str, *commands: click.Command) -> None:
        """Add commands under a heading of the help text, in this order."""
        for command in commands:
            self.add_command(command)
        self.topics[title] = [str(command.name) for command in commands]

    def invoke(self, context: click.Context) -> Any:
        log_to_terminal()
        try:
            return super().invoke(context)
        except UserError as error:
            raise click.ClickException(str(error)) from error
        except (RuntimeError, MemoryError) as error:
            if not is_full(error):
                raise
            raise click.ClickException(f"there is not enough memory: {first_line(error)}. {SMALLER}") from error

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(len(name) for name in self.commands)
        for title, names in self.topics.items():
            with formatter.section(title):
                rows = [(name.ljust(width), self.commands[name].get_short_help_str(100)) for name in names]
                formatter.write_dl(rows)


class StageCommand(click.Command):
    """Stage command with subcommands.

    `sorn masks` runs the stage, `sorn masks compare A B` does not.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.group = click.Group(self.name)

    @property
    def commands(self) -> MutableMapping[str, click.Command]:
        return self.group.commands

    def command(self, *args: Any, **options: Any) -> Callable[[Callable[..., Any]], click.Command]:
        """Decorator of a subcommand."""
        decorator: Callable[[Callable[..., Any]], click.Command] = self.group.command(*args, **options)
        return decorator

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Context of the stage, or of the subcommand named first."""
        if args and args[0] in self.commands:
            return self.group.make_context(info_name, args, parent, **extra)
        self._refuse_options_in_front(args)
        return super().make_context(info_name, args, parent, **extra)

    def format_epilog(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        self.group.format_commands(context, formatter)
        super().format_epilog(context, formatter)

    def _refuse_options_in_front(self, args: list[str]) -> None:
        valued = {
            word
            for option in self.params
            if isinstance(option, click.Option) and not option.is_flag
            for word in option.opts
        }
        for before, word in itertools.pairwise(args):
            if word in self.commands and before not in valued:
                wrong = f"options of the stage stand before '{word}', which does not run the stage"
                raise UserError(wrong, f"Put its options after it; see: sorn {self.name} {word} --help")
