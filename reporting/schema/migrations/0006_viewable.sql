-- An impression that was seen.
ALTER TABLE grosz.events COMMENT COLUMN IF EXISTS type 'win, billing, loss, impression, viewable, click, video, rejection, adjustment, conflict';
