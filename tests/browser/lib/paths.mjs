// Where things are in the repository, and which programs the suite uses.

import { fileURLToPath } from 'node:url';

export const path = (relative) => fileURLToPath(new URL(`../../../${relative}`, import.meta.url));
/** The binaries under test: of the release build, or of the folder that PROGRAMS names. */
export const program = (name) => `${process.env.PROGRAMS ?? path('target/release')}/${name}`;
export const chromium = process.env.CHROMIUM ?? '/usr/bin/chromium';
export const firefox = process.env.FIREFOX ?? '/usr/bin/firefox-esr';
/** Debian's ffmpeg, and the newest one, which `make setup` puts beside the build. */
export const ffmpegs = { debian: process.env.FFMPEG ?? 'ffmpeg', newest: path('target/ffmpeg9/ffmpeg') };
