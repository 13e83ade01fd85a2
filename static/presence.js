// Who is here: comes after the first messages, and joins its parts. Where the server does not tell it, the page goes on
// without.

import {stylesheet} from "./dom.js";
import {Here} from "./here.js";
import {Joins} from "./joins.js";
import {keepPresent} from "./present.js";
import {Typing, onTyping} from "./typing.js";

// What was told of people while a server or a computer came back is not worth a line each.
const SETTLE = 20_000;
// Not all who listen ask at the same time.
const SOON = 3000;
const LATER = 60_000;

await stylesheet("presence.css");

export class Presence {
  #server;
  #me;
  #room = "";
  #stop = () => {};
  #here = new Here(() => this.#names || this.#ask());
  #joins;
  #typing = new Typing();
  /** @type {Set<string> | null} null while the names are not known */
  #names = null;
  #timer;
  #settledAt = 0;
  /** How often the server told of people. */
  #told = 0;

  /**
   * @param {import("./js/pubsub.js").Server} server
   * @param {{value: string}} nick
   * @param {(line: HTMLElement) => void} onLine takes a line of the conversation
   */
  constructor(server, nick, onLine) {
    this.#server = server;
    this.#joins = new Joins(onLine);
    this.#me = keepPresent(server, document.getElementById("nick"), nick);
    onTyping(document.getElementById("message"), () => this.#room && server.presence && server.typing(this.#room, server.presence));
  }

  /** @param {string} room */
  enter(room) {
    this.leave();
    this.#room = room;
    this.#settledAt = 0;
    this.#stop = this.#server.follow(`${room}:presence`, {
      onMessage: (said) => this.#heard(said),
      onGap: () => this.#doubt(),
      onStatus: ({name}) => {
        if (name === "refused") this.leave();
        if (name === "open" && !this.#here.isShown) this.#ask();
      },
    });
  }

  leave() {
    this.#stop();
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#room = "";
    this.#names = null;
    this.#here.hide();
    this.#joins.clear();
    this.#typing.clear();
  }

  /** Is told what was said. @param {object} message @param {boolean} mine */
  said({nick, timestamp}, mine) {
    if (typeof nick !== "string") return;
    if (mine) this.#me.add(nick.trim());
    this.#typing.said(nick.trim(), timestamp);
  }

  #heard({presence, name, count, timestamp}) {
    if (presence === "typing") {
      if (!this.#me.has(name)) this.#typing.heard(name, timestamp);
    } else if (presence === "count") this.#recount(count, null);
    else if (presence === "join" || presence === "leave") this.#moved(presence === "join", name, count);
  }

  #moved(came, name, count) {
    if (came) this.#names?.add(name);
    else this.#names?.delete(name);
    this.#recount(count, this.#names);
    if (!this.#me.has(name) && Date.now() > this.#settledAt) this.#joins.heard(came, name);
  }

  /** Something was missed. */
  #doubt() {
    this.#settledAt = Date.now() + SETTLE;
    this.#names = null;
    this.#askWithin(SOON);
  }

  #recount(count, names) {
    this.#told++;
    // Names that do not come to the count were told of while they were asked for.
    this.#names = names?.size === count ? names : null;
    this.#here.show(count, this.#names, this.#me);
    if (this.#here.isOpen && !this.#names) this.#askWithin(SOON);
  }

  #askWithin(milliseconds) {
    this.#timer ??= setTimeout(() => this.#ask(), Math.random() * milliseconds);
  }

  async #ask() {
    const [room, told] = [this.#room, this.#told];
    clearTimeout(this.#timer);
    this.#timer = undefined;
    try {
      const {count, names} = await this.#server.whoIsHere(room);
      if (room !== this.#room) return;
      this.#names = names ? new Set(names) : null;
      this.#here.show(count, this.#names, this.#me);
      if (told !== this.#told) this.#askWithin(SOON); // the answer may be from before that
    } catch (error) {
      if (room !== this.#room) return;
      if (error.temporary) this.#askWithin(LATER);
      else this.leave();
    }
  }
}
