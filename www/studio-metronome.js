// A worker that ticks, because a page's own timers nearly stand still while its tab is in the background.

let timer;
onmessage = ({ data: everyMs }) => {
  clearInterval(timer);
  timer = setInterval(() => postMessage(null), everyMs);
};
