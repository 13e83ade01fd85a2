// The chat page: joins its parts. Read chat.js next, and then the client in clients/js.

import {connect} from "./js/pubsub.js";
import {Chat} from "./chat.js";
import {Composer} from "./composer.js";
import {composes} from "./dom.js";
import {onRemembered, recall, remember} from "./memory.js";
import {keepNick} from "./nick.js";
import {keepPage} from "./offline.js";
import {Rooms} from "./rooms.js";

const byID = (id) => document.getElementById(id);
const token = async (refused) => {
  const none = refused === undefined && !recall("token") && !location.hash.includes("token=");
  return none ? "" : (await import("./token.js")).token(refused);
};
const nick = keepNick(byID("nick"));
const server = connect({token, who: "", presence: nick.value.trim()}); // all tabs have the same token

const menu = document.querySelector(".rooms");
const rooms = new Rooms(menu, server, (room) => {
  history.pushState({room}, "", `/?channel=${encodeURIComponent(room)}`);
  go(room);
  byID("message").focus();
});
const chat = new Chat(server, nick, (text) => composer.putBack(text));
const composer = new Composer(byID("chatform"), byID("message"), (text) => {
  chat.send(text);
  server.retry();
});

function go(room) {
  document.body.dataset.channel = room;
  for (const place of document.querySelectorAll(".room-name")) place.textContent = room;
  byID("chatform").action = `/pub/${room}`;
  composer.open(room);
  chat.open(room);
  rooms.enter(room);
}

// Without a network the page may be that of another room.
const first = new URLSearchParams(location.search).get("channel") || document.body.dataset.channel;
history.replaceState({room: first}, "");
addEventListener("popstate", ({state}) => state?.room && go(state.room));
go(first);

// Entering a nick answers who says what waits for that. One that is emptied is asked for again.
byID("nick").addEventListener("change", () => nick.value ? chat.decide(nick.value) : remember("asked", null));
byID("nick").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || composes(event)) return;
  event.preventDefault();
  if (nick.value) chat.decide(nick.value);
  byID("message").focus();
});
onRemembered((name) => (name === "token" ? location.reload() : chat.remembered(name)));
addEventListener("hashchange", () => location.hash.includes("token=") && location.reload());

for (const place of document.querySelectorAll(".address")) place.textContent = location.origin;
byID("retry").addEventListener("click", () => server.retry());
menu.addEventListener("toggle", async function offer() {
  const tools = await import("./toolbar.js").catch(() => null); // without a network: the next time
  if (!tools) return;
  menu.removeEventListener("toggle", offer);
  tools.offerTools(menu, () => chat.entries);
});
if (document.readyState === "complete") keepPage();
else addEventListener("load", () => keepPage());

if (matchMedia("(hover: hover)").matches) byID(nick.value ? "message" : "nick").focus();
