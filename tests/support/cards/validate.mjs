// Reads cards, one JSON object a line; answers each with a line: a JSON list of what the renderer says is wrong.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const renderer = createRequire(import.meta.url)("adaptivecards/dist/adaptivecards.js");
const { AdaptiveCard, CardElement, HostConfig, SerializationContext, ValidationEvent, Versions } = renderer;

// The renderer's own pattern is global, and so remembers where it stopped: it refuses every second card's language.
CardElement.langProperty.regEx = /^[a-z]{2,3}$/i;

const hostConfig = new HostConfig({ actions: { maxActions: 6 } });

const told = ({ event, message, source }) =>
  `${source?.getJsonTypeName?.() ?? "card"}${source?.id ? ` ${source.id}` : ""}: ${ValidationEvent[event]}: ${message}`;

function problemsOf(json) {
  const context = new SerializationContext(Versions.v1_5);
  const card = new AdaptiveCard();
  card.hostConfig = hostConfig;
  card.parse(json, context);
  const parsing = Array.from({ length: context.eventCount }, (_, index) => context.getEventAt(index));
  return [...parsing, ...card.validateProperties().validationEvents].map(told);
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(problemsOf(JSON.parse(line))));
}
