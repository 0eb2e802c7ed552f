/* Runs before anything is painted, so that a chosen theme never flashes. */
(() => {
  try {
    const theme = localStorage.getItem("segue.theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    /* storage is switched off: the system's theme it is */
  }
})();
