// The chat page: joins its parts. Read follower.js next.

import {Conversation} from "./conversation.js";
import {Follower} from "./follower.js";
import {clientID, recall, remember} from "./memory.js";
import {Sender} from "./sender.js";
import {Status} from "./status.js";
import {joinTabs} from "./tabs.js";

const channel = document.body.dataset.channel;
const byID = (id) => document.getElementById(id);
const nick = byID("nick");
const message = byID("message");
const send = byID("send");

// Receiving.

const conversation = new Conversation(
  {list: byID("conversation"), hint: byID("hint"), empty: byID("empty")},
  (name) => name === nick.value.trim(),
);
document.querySelector("#empty .address").textContent = location.origin;
const connection = new Status(byID("connection"));
const follower = new Follower(channel, clientID(), received, (state) => connection.show(state));

function received(answer, first) {
  conversation.show(answer, first);
  if (document.hidden && !first) countUnread(answer.messages.length);
}

const title = document.title;
let unread = 0;

function countUnread(more) {
  unread += more;
  document.title = unread ? `(${unread}) ${title}` : title;
}

const tabs = joinTabs(channel, {
  onLead: () => follower.lead(),
  onYield: () => follower.yield(),
  onHear: (said) => follower.hear(said),
});
follower.run(tabs.say);

// Sending.

const delivery = new Status(byID("delivery"));
const sender = new Sender(channel, (state) => delivery.show(state));
let underWay = "";
let another = false;

nick.value = recall("nick") ?? "";
nick.addEventListener("change", () => remember("nick", nick.value.trim()));

byID("chatform").addEventListener("submit", (event) => {
  event.preventDefault();
  submit();
});

async function submit() {
  const text = message.value;
  if (!text.trim()) return message.focus();
  if (underWay) {
    // Sent once the one under way is acknowledged, unless it is the same: that was impatience.
    another = text !== underWay;
    return sender.retry();
  }
  remember("nick", nick.value.trim());
  underWay = text;
  send.setAttribute("aria-disabled", "true");
  const sent = await sender.send(nick.value.trim() || null, text);
  underWay = "";
  send.removeAttribute("aria-disabled");
  const next = another;
  another = false;
  if (!sent) return message.focus();
  // What was sent goes; what was typed after it stays.
  if (message.value.startsWith(text)) message.value = message.value.slice(text.length);
  follower.reached();
  if (next && message.value.trim()) submit();
}

if (matchMedia("(hover: hover)").matches) (nick.value ? message : nick).focus();

// Changing rooms.

const rooms = document.querySelector(".rooms");
rooms.addEventListener("toggle", () => rooms.open && byID("channel").focus());
rooms.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  rooms.open = false;
  rooms.querySelector("summary").focus();
});

// Going to sleep and waking up: the computer, the network, the page in the back/forward cache.

const sleep = () => {
  tabs.leave();
  follower.pause();
};
const wake = () => {
  tabs.comeBack();
  follower.resume();
  sender.retry();
};
addEventListener("pagehide", sleep);
addEventListener("pageshow", (event) => event.persisted && wake());
document.addEventListener("freeze", sleep);
document.addEventListener("resume", wake);
addEventListener("online", wake);
addEventListener("offline", wake);
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  countUnread(-unread);
  follower.glance();
});
