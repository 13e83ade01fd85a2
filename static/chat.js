// The room that is shown: what is said in it, and what waits to be sent.

import {Conversation} from "./conversation.js";
import {identity} from "./cursor.js";
import {LastSeen} from "./lastseen.js";
import {recall, recallNames, remember} from "./memory.js";
import {keep, keptOf} from "./offline.js";
import {Outbox} from "./outbox.js";
import {isMineOf, mineOf} from "./ownids.js";
import {Pending} from "./pending.js";
import {read, silence} from "./reader.js";
import {Status} from "./status.js";

const KEPT = 50;
const UNTOLD = 1000;
const byID = (id) => document.getElementById(id);

export class Chat {
  #server;
  #nick;
  #room = "";
  #stop = () => {};
  #conversation;
  /** @type {import("./older.js").Older | null} is loaded when somebody looks for older messages */
  #older = null;
  /** @type {import("./presence.js").Presence | null} is loaded after the first messages */
  #presence = null;
  #pending;
  #seen;
  #mine = new Set();
  /** @type {import("./conversation.js").Item[]} of others, came while nobody looked, and nobody was told yet */
  #untold = [];
  /** What is shown is from an earlier visit. */
  #isOld = false;
  /** @type {Map<string, Outbox>} also those of other rooms go on sending */
  #outboxes = new Map();
  #connection = new Status(byID("connection"));
  #delivery = new Status(byID("delivery"));

  /**
   * @param {import("./js/pubsub.js").Server} server
   * @param {{value: string}} nick
   * @param {(text: string) => void} onTakenBack
   */
  constructor(server, nick, onTakenBack) {
    this.#server = server;
    this.#nick = nick;
    this.#conversation = new Conversation(
      {box: byID("conversation"), list: byID("lines"), hint: byID("hint"), summary: byID("summary")},
      {
        isMine: (identity, message) => this.#mine.has(identity) || !!this.#onItsWay(message),
        isNew: (item) => this.#seen.isNew(item),
        me: () => this.#nick.value,
        onTop: () => this.#loadOlder(),
      },
    );
    this.#pending = new Pending(byID("outbox"), {
      again: (entry) => this.#outbox.again(entry),
      unnamed: () => this.decide(null),
      takeBack: (entry) => {
        this.#outbox.takeBack(entry);
        onTakenBack(entry.message);
      },
    });
    document.addEventListener("visibilitychange", () => (document.hidden ? this.#leave() : this.#look()));
    addEventListener("pagehide", () => this.#keep());
    for (const name of recallNames("outbox/")) this.#outboxOf(name.split("/")[1]).changedElsewhere();
  }

  open(room) {
    this.#stop();
    if (this.#room) this.#keep();
    this.#presence?.leave();
    this.#isOld = false;
    this.#untold = [];
    this.#room = room;
    this.#mine = mineOf(room);
    this.#seen = new LastSeen(room);
    this.#conversation.clear();
    this.#pending.clear();
    this.#older?.end();
    this.#older = null;
    byID("older").textContent = "";
    document.title = `${room} · pubsub`;
    byID("empty").hidden = true;
    this.#delivery.show({name: "sent"});
    this.#showPending();
    this.#stop = read(this.#server, room, {
      onItems: (items, first) => this.#show(items, first),
      onOpen: () => this.#opened(),
      onStatus: ({name, ...more}) => {
        if (name === "reconnecting" && this.#conversation.isEmpty) this.#showKept();
        this.#connection.show({name: name === "reconnecting" && !navigator.onLine ? "offline" : name, ...more});
      },
    });
  }

  /** @param {string} text */
  send(text) {
    const asked = recall("asked") !== null;
    this.#outbox.add(text, this.#nick.value || (asked ? null : undefined));
    this.#conversation.toEnd(); // where the message waits, maybe for a nick
  }

  /** Tells who says what waits for that. @param {string | null} nick */
  decide(nick) {
    remember("asked", "yes");
    for (const outbox of this.#outboxes.values()) outbox.decide(nick);
  }

  /** Another tab has remembered something. @param {string} name */
  remembered(name) {
    if (isMineOf(this.#room, name)) this.#markMine();
    if (name.startsWith("outbox/")) this.#outboxOf(name.split("/")[1]).changedElsewhere();
  }

  /** What the conversation shows. */
  get entries() {
    return this.#conversation.entries;
  }

  get #outbox() {
    return this.#outboxOf(this.#room);
  }

  #outboxOf(room) {
    const isHere = () => room === this.#room;
    if (!this.#outboxes.has(room)) {
      this.#outboxes.set(room, new Outbox(this.#server, room, {
        onChange: () => isHere() && this.#showPending(),
        onStatus: (status) => isHere() && this.#delivery.show(status),
        onSent: (entry, identity) => isHere() && this.#sent(entry, identity),
      }));
    }
    return this.#outboxes.get(room);
  }

  #showPending() {
    this.#pending.show(this.#outboxes.get(this.#room)?.entries ?? []);
    if (byID("outbox").childElementCount) byID("empty").hidden = true;
  }

  #sent(entry, identity) {
    if (!this.#conversation.has(identity)) this.#pending.keep(entry, identity);
    this.#markMine();
  }

  #markMine() {
    this.#mine = mineOf(this.#room);
    this.#conversation.mark();
  }

  /** A message may come before the answer that tells its id. */
  #onItsWay(message) {
    if (this.#pending.isEmpty) return undefined; // storage is slow in a flood
    const entries = this.#outboxes.get(this.#room)?.entries ?? [];
    return entries.find((entry) => entry.since && entry.message === message.message && entry.nick === message.nick);
  }

  #look() {
    this.#untold = [];
    this.#seen.look();
  }

  #leave() {
    this.#seen.leave();
    this.#keep();
  }

  #keep() {
    if (!this.#isOld && !this.#conversation.isEmpty) keep(this.#room, this.#conversation.last(KEPT));
  }

  #showKept() {
    const items = keptOf(this.#room);
    if (!items.length) return;
    this.#conversation.show(items);
    this.#isOld = true;
  }

  #show(items, first) {
    if (this.#isOld) this.#conversation.clear();
    this.#isOld = false;
    this.#conversation.show(items);
    this.#seen.shown(items);
    byID("empty").hidden = true;
    for (const {message, cursor} of items) if (message) this.#arrived(message, identity(message.id, cursor));
    if (document.hidden && !first) this.#announce(items);
  }

  #arrived(message, identity) {
    this.#pending.arrived(identity);
    const entry = this.#mine.has(identity) ? undefined : this.#onItsWay(message);
    if (entry) this.#pending.hide(entry);
    this.#presence?.said(message, !!entry || this.#mine.has(identity));
  }

  /** Tells of what others said. Without a network it is told with what comes next. */
  async #announce(items) {
    this.#untold.push(...items.filter(({message, cursor}) => message && !this.#mine.has(identity(message.id, cursor))));
    this.#untold.splice(0, this.#untold.length - UNTOLD);
    if (!this.#untold.length) return;
    const told = await import("./announce.js").catch(() => null);
    told?.announce(this.#untold.splice(0), this.#room, this.#nick.value);
  }

  async #loadOlder() {
    const room = this.#room;
    try {
      const {Older} = await import("./older.js");
      if (room !== this.#room) return;
      this.#older ??= new Older(this.#server, room, this.#conversation, byID("older"));
      this.#older.load();
    } catch {
      // The network is gone. The next move of the wheel tries again.
    }
  }

  async #meet(room) {
    try {
      const {Presence} = await import("./presence.js");
      if (room !== this.#room) return;
      this.#presence ??= new Presence(this.#server, this.#nick, (line) => this.#conversation.aside(line));
      this.#presence.enter(room);
    } catch {
      // The network is gone. The next room tries again.
    }
  }

  async #opened() {
    this.#conversation.open();
    const room = this.#room;
    this.#meet(room);
    if (!this.#conversation.isEmpty) return this.#conversation.nearTop && this.#loadOlder();
    const words = await silence(this.#server, room);
    if (room !== this.#room || !this.#conversation.isEmpty) return;
    byID("empty").querySelector("strong").textContent = words;
    byID("empty").hidden = byID("outbox").childElementCount > 0;
  }
}
