namespace Weir.Testing.Support.History;

/// <summary>Holds every send against what was read in all, and against what was known before it was invoked.</summary>
internal sealed class LossCheck(HistoryLog history, SentValues values, PartitionImage[] images, Findings findings)
{
    public void Run(bool hasFinalPhase)
    {
        for (var value = 0; value < values.Count; value++)
        {
            var id = values.Sends[value];
            ref readonly var send = ref history.At(id);
            ref readonly var seen = ref values.Seen[value];
            if (seen.Partition < 0)
            {
                continue;
            }

            var image = images[seen.Partition];
            CheckLoss(id, send, seen, image, hasFinalPhase);
            if (seen.FirstOffset >= 0 && send.Outcome != Outcome.Fail
                && image.KnownBefore(history, seen.FirstOffset + 1, send.Invoked) is >= 0 and var known)
            {
                Report(
                    AnomalyKind.RealTimeOrder, seen.Partition, send.Value,
                    $"value {send.Value} got offset {seen.FirstOffset} although a higher one was known before it was sent",
                    known, id);
            }
        }
    }

    private void CheckLoss(int id, in Operation send, in SeenValue seen, PartitionImage image, bool hasFinalPhase)
    {
        var isPlaced = seen.FirstOffset >= 0;
        if (isPlaced && image.Gaps.IsRemoved(seen.FirstOffset))
        {
            return;
        }

        if (send.Outcome == Outcome.Ok && !seen.IsRead && isPlaced
            && seen.LastOffset <= image.Bound && seen.FirstOffset >= image.Floor)
        {
            Report(
                AnomalyKind.LostWrite, seen.Partition, send.Value,
                $"value {send.Value} at offset {seen.LastOffset} was never read, and readers got to offset {image.Bound}", id);
        }

        if (!hasFinalPhase)
        {
            return;
        }

        if (send.IsKept && !seen.IsRead)
        {
            Report(AnomalyKind.Unseen, seen.Partition, send.Value, $"value {send.Value} was acknowledged and never read", id);
        }

        if (seen.IsRead && !seen.IsFinallyRead && seen.FirstOffset >= image.FinalFloor)
        {
            var witness = image.Witnesses[image.Order.Rank(seen.FirstOffset)] - 1;
            Report(
                AnomalyKind.Vanished, seen.Partition, send.Value,
                $"value {send.Value} at offset {seen.FirstOffset} was read, but not by the final read from {image.FinalFloor} on",
                [.. new[] { id, witness }.Distinct()]);
        }
    }

    private void Report(AnomalyKind kind, int partition, long value, string text, params int[] operations)
    {
        if (findings.Count(kind))
        {
            findings.Describe(kind, partition, text, operations, [value]);
        }
    }
}
