// Tells of messages that name the reader, where he allowed it and looks elsewhere.

/** @param {HTMLButtonElement} button asks for leave */
export function offerNotices(button) {
  const show = () => (button.hidden = globalThis.Notification?.permission !== "default");
  show();
  button.addEventListener("click", async () => {
    await Notification.requestPermission();
    show();
  });
}

/** @param {{title: string, text: string, tag: string}} notice tag: two tabs with one tag show it once */
export function notify({title, text, tag}) {
  if (!document.hidden || globalThis.Notification?.permission !== "granted") return;
  try {
    const notice = new Notification(title, {body: text, tag});
    notice.addEventListener("click", () => {
      focus();
      notice.close();
    });
  } catch {
    // Phones show notices from service workers only.
  }
}
