// States as plain objects: defaults, changes, and what a link holds of the view.

const SPEEDS = [1, 10, 60, 300, 1000, null];

export const clone = (value) => JSON.parse(JSON.stringify(value));

/** Every field's default. */
export function defaults(limits) {
  const state = {};
  for (const [part, fields] of Object.entries(limits.fields)) {
    state[part] = Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, clone(field.default)]));
  }
  return state;
}

/** A state with some of its fields changed; both stay as they are. */
export function merge(state, changes) {
  const merged = clone(state);
  for (const [part, fields] of Object.entries(changes ?? {})) Object.assign(merged[part], clone(fields));
  return merged;
}

/** The entries of a link's view that can be used. */
export function viewFrom(given) {
  const known = { prune: 0 };
  for (const key of ["regions", "wrong", "test"]) if (typeof given?.[key] === "boolean") known[key] = given[key];
  if (SPEEDS.includes(given?.speed)) known.speed = given.speed;
  if (given?.prune > 0 && given.prune <= 1) known.prune = given.prune;
  return known;
}

/** The name of the table's file that a link tells. */
export const fileOf = (found) => (typeof found?.file === "string" ? found.file.slice(0, 200) : "");

/** What a link does not hold, in sentences. */
export function linkNotes(data, isTicket, file) {
  const found = [];
  if (data.kind === "table") found.push(`Your table stays on this machine: the link holds its columns, not its rows. Whoever opens it is asked for the file “${file}”.`);
  if (isTicket) found.push("The link holds the whole network, not the ticket.");
  return found.join(" ");
}

/** Sentences about what a state's picture shows. */
export function notesOf({ notes, inputs, names, ticket }) {
  const found = [...notes];
  if (inputs !== 2) {
    found.push(`The picture is a plane through a space of ${inputs} dimensions (${names.join(", ")}): points are drawn where they are nearest to it.`);
  }
  if (ticket) {
    found.push("Only some weights are left, which began with their initial values; the others stay at zero. Back to the start brings all of them again.");
  }
  return found;
}
