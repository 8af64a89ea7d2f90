// The two dialogs: a link that holds everything, and files to take away.

const $ = (id) => document.getElementById(id);

function save(name, parts, type) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(parts, { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

/** `on` has `link()`, `notes()`, `open(link)`, `plane` and `ask(what)`. */
export function dialogs(on) {
  let asked = null;
  for (const button of document.querySelectorAll("dialog .close")) {
    button.addEventListener("click", () => button.closest("dialog").close());
  }

  $("share").addEventListener("click", async () => {
    $("share-link").value = await on.link();
    $("copied").textContent = "";
    $("share-note").textContent = on.notes();
    $("open-error").hidden = true;
    $("share-dialog").showModal();
    $("share-link").select();
    $("share-link").scrollTop = 0;
  });

  $("copy-link").addEventListener("click", async () => {
    $("share-link").select();
    try {
      await navigator.clipboard.writeText($("share-link").value);
      $("copied").textContent = "Copied.";
    } catch {
      $("copied").textContent = "Press Ctrl-C: the browser does not let the page copy.";
    }
  });

  $("open-button").addEventListener("click", async () => {
    const opened = await on.open($("open-link").value).catch(() => false);
    $("open-error").hidden = opened;
    $("open-error").textContent = opened ? "" : "This is no link of the playground: paste the whole address.";
    if (opened) {
      $("open-link").value = "";
      $("share-dialog").close();
    }
  });

  $("take").addEventListener("click", () => {
    $("take-note").textContent = "";
    $("code").hidden = true;
    $("take-dialog").showModal();
  });

  for (const button of document.querySelectorAll("[data-export]")) {
    button.addEventListener("click", async () => {
      const what = button.dataset.export;
      $("take-note").textContent = "";
      if (what === "svg") save("playground.svg", [on.plane.svg()], "image/svg+xml");
      else if (what === "png") save("playground.png", [await on.plane.png()], "image/png");
      else {
        asked = what;
        on.ask(what);
      }
    });
  }

  return {
    receive({ name, text, base64 }) {
      asked = null;
      if (text !== undefined) {
        $("code").textContent = text;
        $("code").hidden = false;
        save(name, [text], "text/x-python");
      } else save(name, [Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))], "application/octet-stream");
      $("take-note").textContent = `Saved as ${name}.`;
    },
    failed({ sentence, of = "export" }) {
      if (of !== "export") return;
      if (asked) $("take-note").textContent = sentence;
      asked = null;
    },
  };
}
