// What the leading tab does for all: it follows the rooms of every tab, and passes on what comes.

import {Connection} from "./connection.js";

// A room that nobody wants any more is mostly wanted again soon, by the next page.
const LINGER = 5_000;

export class Leader {
  #site;
  #ways;
  #tabs;
  #hear;
  #closed = false;
  /** @type {Map<string, Record<string, string>>} the places of each tab's rooms */
  #wants = new Map();
  /** @type {Set<string>} */
  #watched = new Set();
  /** @type {Connection[]} more than one only where there are more rooms than one may have */
  #connections = [];

  /**
   * @param {import("./site.js").Site} site
   * @param {import("./ways.js").Way[]} ways
   * @param {import("./tabs.js").Tabs} tabs
   * @param {(said: object) => void} hear is told what all tabs are
   */
  constructor(site, ways, tabs, hear) {
    this.#site = site;
    this.#ways = ways;
    this.#tabs = tabs;
    this.#hear = hear;
    tabs.say({kind: "who"});
  }

  /**
   * @param {string} tab
   * @param {Record<string, string>} places of all rooms that it wants
   */
  want(tab, places) {
    this.#watch(tab);
    this.#wants.set(tab, places);
    for (const [room, place] of Object.entries(places)) this.#follow(room, place);
    setTimeout(() => this.#dropUnwanted(), LINGER);
  }

  /** The connections may be dead. */
  reopen() {
    for (const connection of this.#connections) connection.reopen();
  }

  glance() {
    for (const connection of this.#connections) connection.glance();
  }

  retry() {
    for (const connection of this.#connections) connection.retry();
  }

  close() {
    this.#closed = true;
    for (const connection of this.#connections) connection.close();
    this.#connections = [];
  }

  /** @param {string} tab */
  #watch(tab) {
    if (tab === this.#tabs.me || this.#watched.has(tab)) return;
    this.#watched.add(tab);
    this.#tabs.watch(tab, () => {
      this.#watched.delete(tab);
      this.#wants.delete(tab);
      setTimeout(() => this.#dropUnwanted(), LINGER);
    });
  }

  /**
   * @param {string} room
   * @param {string} place
   */
  #follow(room, place) {
    const known = this.#connections.map((connection) => connection.placeOf(room)).find(Boolean);
    if (known === undefined) return this.#connectionFor(room).add(room, place);
    // Whoever is elsewhere asks by himself, once.
    if (known !== place) this.#say({kind: "pieces", pieces: [{room, from: "", to: known, messages: [], cursors: []}]});
  }

  /** @param {string} room */
  #connectionFor(room) {
    let connection = this.#connections.find((one) => one.hasSpaceFor(room));
    if (!connection) {
      connection = this.#connect();
      this.#connections.push(connection);
    }
    return connection;
  }

  #connect() {
    /** @type {Connection} */
    const connection = new Connection(this.#site, this.#ways, {
      onPieces: (pieces) => this.#say({kind: "pieces", pieces}),
      onStatus: (status) => this.#say({kind: "status", status, rooms: connection.rooms}),
      onRefused: (rooms) => {
        for (const places of this.#wants.values()) for (const room of rooms) delete places[room];
        this.#say({kind: "doubt", rooms});
      },
    });
    return connection;
  }

  /** Speaks to all tabs, but not to others of what only this one wants: that takes long. @param {any} said */
  #say(said) {
    if (this.#closed) return;
    if (said.kind !== "pieces" || this.#watched.size > 0) this.#tabs.say(said);
    this.#hear(said);
  }

  #dropUnwanted() {
    const wanted = new Set([...this.#wants.values()].flatMap((places) => Object.keys(places)));
    for (const connection of this.#connections) {
      for (const room of connection.rooms) if (!wanted.has(room)) connection.drop(room);
    }
  }
}
