// A click on a picture of search.html enlarges it; another click, or Escape, closes it.
"use strict";
(() => {
  const dialog = document.getElementById("large");
  const [image, name] = [dialog.querySelector("img"), dialog.querySelector("p")];
  for (const button of document.querySelectorAll("button.enlarge")) {
    button.addEventListener("click", () => {
      const small = button.querySelector("img");
      [image.src, image.alt, name.textContent] = [small.src, small.alt, small.alt];
      dialog.showModal();
    });
  }
  dialog.addEventListener("click", () => dialog.close());
})();
