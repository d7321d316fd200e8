"""Lessons whose next occasion comes in entirely other words, so that only meaning can tell that it is one."""

from dataclasses import dataclass

from hivemind_cli.core.match import content


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """What a person corrects in one session, and the prompts of later ones."""

    name: str
    prompt: str
    """The task under which the mistake happens."""
    command: str
    """The mistake."""
    said: str
    """The person's words then."""
    rule: str
    """Of these words, what the agent must read next time."""
    again: str
    """The same task; shares no content word with anything said or done before."""
    near: str
    """The same task in words of the first: found without a model, too."""
    unrelated: tuple[str, ...]
    """Other tasks of the same project, at which nothing may come."""

    @property
    def program(self) -> str:
        """What the command runs."""
        return self.command.partition(" ")[0]


OUTAGE = Lesson(
    name="outage",
    prompt="Send an email to all customers about Friday's outage",
    command="sendmail -t outage.txt",
    said="no, we never send anything from this repo by hand, always queue it with bin/broadcast",
    rule="bin/broadcast",
    again="Notify every client that the service was down yesterday",
    near="Send the customers an email about tonight's outage",
    unrelated=("Rename the variable total to amount in the report module", "What does this regular expression match?"),
)
PICTURES = Lesson(
    name="pictures",
    prompt="Compress the images on the homepage, it loads slowly",
    command="mogrify -resize 50% web/hero.png",
    said="no, never run mogrify on the originals here, always run make thumbnails",
    rule="make thumbnails",
    again="Please shrink the photos on our landing page so that it opens faster",
    near="Compress the new images on the homepage",
    unrelated=("Which licence does this project have?", "Write a unit test for the date parser"),
)
REFUND = Lesson(
    name="refund",
    prompt="Refund the buyer of order 4711",
    command="payctl refund --charge ch_4711",
    said="no, never do that on the command line, always open a ticket for accounting first",
    rule="ticket for accounting",
    again="A shopper wants his money back, please reimburse the purchase",
    near="Refund order 4712 to its buyer",
    unrelated=("Add a dark mode to the settings dialog", "Why does the linter complain about this import?"),
)
MEETING = Lesson(
    name="meeting",
    prompt="Schedule a meeting with the lawyers for next week",
    command="khal new monday 10:00 lawyers",
    said="no, we never book on a Monday here, always take a Wednesday",
    rule="Wednesday",
    again="Find a date for an appointment with our attorneys",
    near="Schedule another meeting with the lawyers",
    unrelated=("Explain the difference between a stack and a queue", "Bump the version number to 2.1"),
)
LOGIN = Lesson(
    name="login",
    prompt="Users are logged out every five minutes, make sessions last longer",
    command="authctl set timeout 86400",
    said="no, never change that on a running server, always edit gateway/policy.yaml",
    rule="gateway/policy.yaml",
    again="People must sign in again and again, they should stay authenticated all day",
    near="Sessions are too short, users are logged out while they work",
    unrelated=("Draw the logo as an SVG", "Sort the table by its second column"),
)
LESSONS = (OUTAGE, PICTURES, REFUND, MEETING, LOGIN)


def shared_words(prompt: str, *before: str) -> frozenset[str]:
    """Content words of `prompt`, as recall counts them, that stand in what was said, done or written before."""
    return content(prompt) & content("\n".join(before))
