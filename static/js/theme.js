/* The chosen colour scheme, before the first paint: a classic script in the head, so that no page flashes in the other one.
   Without a choice the system's scheme holds. */
(() => {
  try {
    const chosen = localStorage.getItem("lectern.theme");
    if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
  } catch {
    // Storage may be refused; the system's scheme is right then.
  }
})();
