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
  let asked = 0; // how many files are on their way
  for (const button of document.querySelectorAll("dialog .close")) {
    button.addEventListener("click", () => button.closest("dialog").close());
  }

  $("share").addEventListener("click", async () => {
    const notes = on.notes(); // of what the link holds, which is packed meanwhile
    $("share-link").value = await on.link();
    $("copied").textContent = "";
    $("share-note").textContent = notes;
    $("open-error").hidden = true;
    $("share-dialog").showModal();
    $("share-link").select();
    $("share-link").scrollTop = 0;
  });

  $("copy-link").addEventListener("click", async () => {
    const link = $("share-link").value;
    const tell = (sentence) => {
      if ($("share-link").value === link) $("copied").textContent = sentence; // else another one is shown
    };
    $("share-link").select();
    try {
      await navigator.clipboard.writeText(link);
      tell("Copied.");
    } catch {
      tell("Press Ctrl-C: the browser does not let the page copy.");
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
        asked += 1;
        on.ask(what);
      }
    });
  }

  return {
    receive({ name, text, base64 }) {
      asked = Math.max(0, asked - 1);
      if (text !== undefined) {
        $("code").textContent = text;
        $("code").hidden = false;
        save(name, [text], "text/x-python");
      } else save(name, [Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))], "application/octet-stream");
      $("take-note").textContent = `Saved as ${name}.`;
    },
    failed({ sentence, of = "export" }) {
      if (of !== "export" || !asked) return;
      $("take-note").textContent = sentence;
      asked -= 1;
    },
    lost() {
      this.failed({ sentence: "The connection was lost: ask again once it is back." });
      asked = 0;
    },
  };
}
