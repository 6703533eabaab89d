using Weir.Storage;

namespace Weir.Groups.Queue;

/// <summary>What a queue's records make: per partition what is done and what failed; dead letters on their way. One thread.</summary>
internal sealed class QueueState(CoordinatorOptions options)
{
    /// <summary>Partitions by topic and index.</summary>
    public Dictionary<LogIdentity, QueuePartition> Partitions { get; } = [];

    /// <summary>Topics that the group has seen.</summary>
    public TopicBook Topics { get; } = new();

    /// <summary>Producer id of dead letters; null before the first.</summary>
    public long? ProducerId { get; private set; }

    /// <summary>Next sequence number per partition of dead-letter topics.</summary>
    public Dictionary<LogIdentity, int> Sequences { get; } = [];

    /// <summary>Applies a record.</summary>
    public void Apply(IGroupRecord record)
    {
        switch (record)
        {
            case TopicSeen topic:
                Apply(topic);
                break;
            case QueueStart start:
                Apply(start);
                break;
            case QueueSettled settled:
                Apply(settled);
                break;
            case QueueFailed failed:
                var partition = Require(failed.TopicId, failed.Partition);
                foreach (var one in failed.Records)
                {
                    partition.Failed[one.Offset] = one;
                }

                break;
            case QueueProducer producer:
                ProducerId = producer.ProducerId;
                Sequences.Clear();
                foreach (var next in producer.Sequences)
                {
                    Sequences[new LogIdentity(next.TopicId, next.Partition)] = next.Sequence;
                }

                break;
            case QueueDeadLetter letter:
                Require(letter.TopicId, letter.Partition).DeadLetters[letter.Offset] = letter;
                if (letter.ProducerId == ProducerId)
                {
                    var target = new LogIdentity(letter.TargetId, letter.TargetPartition);
                    Sequences[target] = Math.Max(Sequences.GetValueOrDefault(target), letter.Sequence + 1);
                }

                break;
            default:
                throw new InvalidOperationException($"no rule of a queue applies {record.Kind}");
        }
    }

    /// <summary>Records that make this state.</summary>
    public IEnumerable<IGroupRecord> ToSnapshot()
    {
        foreach (var topic in Topics.ToSnapshot())
        {
            yield return topic;
        }

        if (ProducerId is { } producerId)
        {
            yield return new QueueProducer
            {
                ProducerId = producerId,
                Sequences = options.Omits(OmittedGroupRules.SequencesInSnapshots) ? [] :
                [
                    .. Sequences.Select(static pair => new NextSequence
                    {
                        TopicId = pair.Key.TopicId, Partition = pair.Key.Partition, Sequence = pair.Value,
                    }),
                ],
            };
        }

        foreach (var partition in Partitions.Values.Where(static partition => partition.Settled is not null))
        {
            foreach (var record in ToSnapshot(partition).Where(
                one => one is not QueueSettled || !options.Omits(OmittedGroupRules.SettledInSnapshots)))
            {
                yield return record;
            }
        }
    }

    public QueuePartition GetOrAdd(LogIdentity identity)
    {
        if (!Partitions.TryGetValue(identity, out var partition))
        {
            Partitions[identity] = partition = new QueuePartition(identity, options.MaxWaiting);
        }

        return partition;
    }

    private static IEnumerable<IGroupRecord> ToSnapshot(QueuePartition partition)
    {
        var (topicId, index) = (partition.Identity.TopicId, partition.Identity.Partition);
        yield return new QueueStart
        {
            TopicId = topicId, Partition = index, Offset = partition.Settled!.Floor, DeadLettered = partition.DeadLettered,
        };
        foreach (var chunk in partition.Settled.Ranges().Chunk(QueueRecords.MaxRanges))
        {
            yield return new QueueSettled
            {
                TopicId = topicId,
                Partition = index,
                Ranges = [.. chunk.Select(static range => new OffsetRange { First = range.First, Last = range.Last })],
            };
        }

        foreach (var chunk in partition.Failed.Values.Chunk(QueueRecords.MaxFailed))
        {
            yield return new QueueFailed { TopicId = topicId, Partition = index, Records = chunk };
        }

        foreach (var letter in partition.DeadLetters.Values.OrderBy(static letter => letter.Sequence))
        {
            yield return letter;
        }
    }

    private QueuePartition Require(Guid topicId, int index) =>
        GetOrAdd(new LogIdentity(topicId, index)) is { Settled: not null } partition
            ? partition
            : throw new InvalidOperationException($"partition {index} of topic {topicId} has no start");

    private void Apply(TopicSeen topic)
    {
        Topics.Apply(topic);
        if (topic.Partitions == TopicSeen.Gone)
        {
            foreach (var identity in Partitions.Keys.Where(identity => identity.TopicId == topic.TopicId).ToList())
            {
                Partitions.Remove(identity);
            }
        }
    }

    private void Apply(QueueStart start)
    {
        var partition = GetOrAdd(new LogIdentity(start.TopicId, start.Partition));
        partition.Settled = new SettledSet(start.Offset);
        partition.DeadLettered = start.DeadLettered;
        partition.Failed.Clear();
        partition.DeadLetters.Clear();
    }

    private void Apply(QueueSettled settled)
    {
        var partition = Require(settled.TopicId, settled.Partition);
        foreach (var range in settled.Ranges)
        {
            partition.Settled!.Add(range.First, range.Last);
            Forget(partition.Failed, range);
            Forget(partition.DeadLetters, range);
            partition.DeadLettered += settled.AreDeadLetters ? range.Last - range.First + 1 : 0;
        }
    }

    private static void Forget<T>(Dictionary<long, T> records, OffsetRange range)
    {
        if (records.Count == 0)
        {
            return;
        }

        if (range.Last - range.First < records.Count)
        {
            for (var offset = range.First; offset <= range.Last; offset++)
            {
                records.Remove(offset);
            }
        }
        else
        {
            foreach (var offset in records.Keys.Where(offset => offset >= range.First && offset <= range.Last).ToList())
            {
                records.Remove(offset);
            }
        }
    }
}
