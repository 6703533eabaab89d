namespace Weir.Testing.Support.History;

/// <summary>Builds the image of every partition from all that was acknowledged or read, and checks that it is one.</summary>
internal sealed class ContentCheck(HistoryLog history, SentValues values, Findings findings)
{
    private readonly HashSet<(AnomalyKind Kind, int Partition, long Offset, long Value)> _reported = [];
    private readonly PartitionImage[] _images = Images(history);

    public bool HasFinalPhase { get; private set; }

    public PartitionImage[] Build()
    {
        var send = 0;
        for (var id = 0; id < history.Count; id++)
        {
            ref readonly var operation = ref history.At(id);
            if (operation.Kind == OperationKind.Send)
            {
                if (operation.IsKept && operation.Offset >= 0)
                {
                    PlaceSend(id, operation, send);
                }

                send++;
            }
            else if (operation.Kind == OperationKind.Poll)
            {
                HasFinalPhase |= operation.IsFinal;
                PlacePoll(id, operation);
            }
        }

        foreach (ref readonly var seen in values.Seen.AsSpan())
        {
            if (seen.IsRead)
            {
                _images[seen.Partition].Bound = Math.Max(_images[seen.Partition].Bound, seen.FirstOffset);
            }
        }

        foreach (var image in _images)
        {
            image.Settle(history);
        }

        return _images;
    }

    private static PartitionImage[] Images(HistoryLog history)
    {
        var builders = new VersionOrder.Builder[history.Partitions.Count];
        for (var i = 0; i < builders.Length; i++)
        {
            builders[i] = new VersionOrder.Builder();
        }

        foreach (var isExtent in (bool[])[true, false])
        {
            for (var id = 0; id < history.Count; id++)
            {
                ref readonly var operation = ref history.At(id);
                if (operation.IsKept && operation.Offset >= 0)
                {
                    Take(builders[operation.Partition], operation.Offset, isExtent);
                }

                for (var s = 0; operation.Kind == OperationKind.Poll && s < operation.SliceCount; s++)
                {
                    ref readonly var slice = ref history.SliceAt(operation.FirstSlice + s);
                    for (var r = 0; r < slice.RecordCount; r++)
                    {
                        Take(builders[slice.Partition], history.RecordAt(slice.FirstRecord + r).Offset, isExtent);
                    }
                }
            }
        }

        var gaps = history.Gaps.ToLookup(static gap => gap.Partition);
        return
        [
            .. builders.Select((builder, index) =>
                new PartitionImage(builder.Build(), new GapTable([.. gaps[history.Partitions[index]]]))),
        ];
    }

    private static void Take(VersionOrder.Builder builder, long offset, bool isExtent)
    {
        if (isExtent)
        {
            builder.Extend(offset);
        }
        else
        {
            builder.Add(offset);
        }
    }

    private void PlaceSend(int id, in Operation operation, int value)
    {
        var image = _images[operation.Partition];
        var rank = PlaceOffset(id, operation.Partition, operation.Offset, operation.Value);
        PlaceValue(id, operation.Partition, operation.Offset, operation.Value, ref values.Seen[value]);
        image.Know(history, rank, id);
    }

    private void PlacePoll(int id, in Operation poll)
    {
        var isOk = poll.Outcome == Outcome.Ok;
        for (var s = 0; s < poll.SliceCount; s++)
        {
            ref readonly var slice = ref history.SliceAt(poll.FirstSlice + s);
            var image = _images[slice.Partition];
            if (isOk)
            {
                NoteFloors(image, slice, poll.IsFinal);
            }

            for (var r = 0; r < slice.RecordCount; r++)
            {
                ref readonly var record = ref history.RecordAt(slice.FirstRecord + r);
                var rank = PlaceOffset(id, slice.Partition, record.Offset, record.Value);
                if (isOk)
                {
                    image.Know(history, rank, id);
                }

                if (FindSent(id, poll, slice.Partition, record) is >= 0 and var value)
                {
                    ref var seen = ref values.Seen[value];
                    PlaceValue(id, slice.Partition, record.Offset, record.Value, ref seen);
                    seen.IsRead |= isOk;
                    seen.IsFinallyRead |= isOk && poll.IsFinal;
                }
            }
        }
    }

    private void NoteFloors(PartitionImage image, in PartitionSlice slice, bool isFinal)
    {
        image.Floor = Math.Min(image.Floor, slice.Position);
        if (isFinal && (slice.Position >= 0 || slice.RecordCount > 0))
        {
            var from = slice.Position >= 0 ? slice.Position : history.RecordAt(slice.FirstRecord).Offset;
            image.FinalFloor = Math.Min(image.FinalFloor, from);
        }
    }

    /// <summary>The number of the value that was read if it was sent to there; what is wrong with it is reported.</summary>
    private int FindSent(int id, in Operation poll, int partition, in ReadRecord record)
    {
        var value = values.Find(record.Value);
        if (value < 0)
        {
            Report(
                AnomalyKind.PhantomRead, partition, record,
                $"nobody sent value {record.Value}, read at offset {record.Offset}", id);
            return -1;
        }

        var sendId = values.Sends[value];
        ref readonly var send = ref history.At(sendId);
        if (values.Seen[value].Partition is >= 0 and var known && known != partition)
        {
            var kind = send.Partition >= 0 ? AnomalyKind.PhantomRead : AnomalyKind.Duplicate;
            Report(
                kind, partition, record,
                $"value {record.Value}, read at offset {record.Offset}, belongs to {history.Partitions[known]}", id, sendId);
            return -1;
        }

        if (send.Outcome == Outcome.Fail)
        {
            Report(
                AnomalyKind.AbortedRead, partition, record,
                $"value {record.Value}, read at offset {record.Offset}, was never to be there: its send failed", id, sendId);
        }

        if (poll.Completed < send.Invoked)
        {
            Report(
                AnomalyKind.PhantomRead, partition, record,
                $"value {record.Value} was read at offset {record.Offset} before it was sent", id, sendId);
        }

        if (send is { Outcome: Outcome.Ok, IsKept: false, Offset: >= 0 } && send.Offset != record.Offset)
        {
            Report(
                AnomalyKind.Duplicate, partition, record,
                $"value {record.Value} was acknowledged at offset {send.Offset} and read at {record.Offset}", id, sendId);
        }

        return value;
    }

    private int PlaceOffset(int id, int partition, long offset, long value)
    {
        var image = _images[partition];
        var rank = image.Order.Rank(offset);
        ref var witness = ref image.Witnesses[rank];
        if (witness == 0)
        {
            witness = id + 1;
            image.Values[rank] = value;
            if (image.Gaps.IsControl(offset))
            {
                Report(
                    AnomalyKind.InconsistentOffset, partition, new ReadRecord(offset, value),
                    $"offset {offset} is declared the broker's own and holds value {value}", id);
            }
        }
        else if (image.Values[rank] != value)
        {
            Report(
                AnomalyKind.InconsistentOffset, partition, new ReadRecord(offset, value),
                $"offset {offset} holds value {image.Values[rank]} and value {value}", witness - 1, id);
        }

        return rank;
    }

    private void PlaceValue(int id, int partition, long offset, long value, ref SeenValue seen)
    {
        if (seen.FirstOffset < 0)
        {
            seen.Partition = partition;
            seen.FirstOffset = offset;
            seen.LastOffset = offset;
        }
        else if (offset != seen.FirstOffset && offset != seen.LastOffset)
        {
            var image = _images[partition];
            Report(
                AnomalyKind.Duplicate, partition, new ReadRecord(offset, value),
                $"value {value} lies at offset {seen.FirstOffset} and at {offset}",
                image.Witnesses[image.Order.Rank(seen.FirstOffset)] - 1, id);
            seen.FirstOffset = Math.Min(seen.FirstOffset, offset);
            seen.LastOffset = Math.Max(seen.LastOffset, offset);
        }
    }

    // Every reader shows the same again; one of each is enough.
    private void Report(AnomalyKind kind, int partition, ReadRecord record, string text, params int[] operations)
    {
        if (_reported.Add((kind, partition, record.Offset, record.Value)) && findings.Count(kind))
        {
            findings.Describe(kind, partition, text, operations, [record.Value]);
        }
    }
}
