// One colour a stripe, the same in every picture of a swarm.

export const COLOURS = ['#2f6fed', '#d98324', '#1d9a63', '#c2378d', '#7a5af0', '#0e9fb5', '#b5a013', '#d4452f'];
