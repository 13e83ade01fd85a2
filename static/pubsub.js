// The chat page: joins its parts. Read reading.js next, and then the client in clients/js.

import {connect} from "./js/pubsub.js";
import {Conversation} from "./conversation.js";
import {recall, remember} from "./memory.js";
import {read} from "./reading.js";
import {Status} from "./status.js";

const server = connect();
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
read(server, channel, {
  onItems(items, first) {
    conversation.show(items);
    if (document.hidden && !first) countUnread(items.filter(({message}) => message).length);
  },
  onOpen: () => conversation.open(),
  onStatus: ({name, ...more}) => connection.show({name: name === "reconnecting" && !navigator.onLine ? "offline" : name, ...more}),
});

const title = document.title;
let unread = 0;

function countUnread(more) {
  unread += more;
  document.title = unread ? `(${unread}) ${title}` : title;
}

document.addEventListener("visibilitychange", () => document.hidden || countUnread(-unread));

// Sending.

const delivery = new Status(byID("delivery"));
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
    return server.retry();
  }
  remember("nick", nick.value.trim());
  underWay = text;
  send.setAttribute("aria-disabled", "true");
  const sent = await publish({nick: nick.value.trim() || null, message: text});
  underWay = "";
  send.removeAttribute("aria-disabled");
  const next = another;
  another = false;
  if (!sent) return message.focus();
  // What was sent goes; what was typed after it stays.
  if (message.value.startsWith(text)) message.value = message.value.slice(text.length);
  if (next && message.value.trim()) submit();
}

/** Returns whether the message is published; if not, the server refuses it. */
async function publish(message) {
  let again = false;
  try {
    await server.publish(channel, message, {
      onStatus({name, ...more}) {
        delivery.show({name: name === "sending" && again ? "resending" : name, ...more});
        again = true;
      },
    });
    delivery.show({name: "sent"});
    return true;
  } catch (error) {
    delivery.show({name: "unsent", reason: error.message});
    return false;
  }
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
