"""What Teams was last read to show of an integration's people, in figures."""

from collections import Counter

from sqlmodel.ext.asyncio.session import AsyncSession

from storage.queries.people import effects
from sync.domain.errors import Fault
from sync.domain.model import Proof
from sync.domain.presence import Effect, Presence, Shown
from sync.presence.effect import effect_of


async def proof_of(session: AsyncSession, integration_id: str) -> Proof:
    """Of those whose presence still applies, as of the latest answer; nothing while Graph refuses to be read."""
    run = await effects.get_run(session, integration_id)
    if run is None:
        return Proof()
    if run.fault == Fault.GRAPH_FORBIDDEN:
        return Proof(run.asked_at, refused=True)
    counts: Counter[tuple[Effect, str]] = Counter()
    for applied, words, sent_again, people in await effects.summary(session, integration_id):
        effect = effect_of(Presence(applied), Shown(*words) if any(words) else None, sent_again=sent_again)
        counts[effect, "" if effect is Effect.AS_WISHED else words[1] or words[0]] += people
    read = {key: count for key, count in counts.items() if key[0] is not Effect.UNCLEAR}
    others = sorted((-count, *key) for key, count in read.items() if key[0] is not Effect.AS_WISHED)
    return Proof(
        read_at=run.read_at,
        checked=sum(read.values()),
        shown=read.get((Effect.AS_WISHED, ""), 0),
        others=tuple((effect, word, -count) for count, effect, word in others),
        failed=bool(run.fault),
    )
