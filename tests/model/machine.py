"""The storm's work and faults as rules of a hypothesis state machine; the ledger is the model, I1 to I15 the oracles.

Each rule draws one number from which the storm takes its chances, so that a failing example stays small: hypothesis
leaves out rules, and makes numbers zero, until nothing more can be left out.
"""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from agent.store.config import StoreConfig
from tests.model.storm import Storm

CHANCES = st.integers(0, 2**16)


class StoreMachine(RuleBasedStateMachine):
    """One store on a simulated disk."""

    @initialize(quota_kb=st.sampled_from((1 << 20, 12)), chances=CHANCES)
    def begin(self, quota_kb: int, chances: int) -> None:
        self.storm = Storm(chances, quota_kb=quota_kb)

    @rule(chances=CHANCES)
    def append(self, chances: int) -> None:
        self._with(chances).append()

    @rule(chances=CHANCES)
    def append_durably(self, chances: int) -> None:
        self._with(chances).append()
        self.storm.flush()

    @rule()
    def flush(self) -> None:
        self.storm.flush()

    @rule(chances=CHANCES)
    def read(self, chances: int) -> None:
        self._with(chances).read()

    @rule()
    def commit(self) -> None:
        self.storm.save()

    @rule(chances=CHANCES)
    def dead_letter(self, chances: int) -> None:
        self._with(chances).letter()

    @rule(chances=CHANCES)
    def reclaim(self, chances: int) -> None:
        self._with(chances).tend()

    @rule(chances=CHANCES, how=st.sampled_from(("crash", "cut")))
    def lose_power(self, chances: int, how: str) -> None:
        """Between two steps, or in the middle of one."""
        getattr(self._with(chances), how)()

    @rule(chances=CHANCES)
    def look_at_crash_states(self, chances: int) -> None:
        self._with(chances).probe(2)

    @rule(chances=CHANCES, how=st.sampled_from(("kill", "die", "close")))
    def end_and_start(self, chances: int, how: str) -> None:
        """By kill -9 between two steps or in the middle of one, or politely."""
        getattr(self._with(chances), how)()

    @rule(segment_kb=st.sampled_from((1, 4, 64)))
    def reconfigure(self, segment_kb: int) -> None:
        self.storm.close()
        self.storm.config = StoreConfig(segment_mb=segment_kb / 1024)
        self.storm.kill()

    @rule(chances=CHANCES)
    def refuse(self, chances: int) -> None:
        self._with(chances).fail()

    @rule(chances=CHANCES)
    def fill(self, chances: int) -> None:
        self._with(chances).fill()

    @rule()
    def heal(self) -> None:
        self.storm.heal()

    @rule(chances=CHANCES)
    def jump_of_the_clock(self, chances: int) -> None:
        self._with(chances).jump()

    def teardown(self) -> None:
        """All is well again: everything acknowledged has to be found."""
        if hasattr(self, "storm"):
            self.storm.finish()

    def _with(self, chances: int) -> Storm:
        self.storm.random.seed(chances)
        return self.storm
