using Weir.Testing.Support;

namespace Weir.Simulation.Groups;

/// <summary>The groups' log as its replicas make it: what is appended is committed some time later, in order.</summary>
internal sealed class SimulatedGroupLog(GroupWorld world)
{
    private readonly List<IReadOnlyList<byte[]>> _batches = [];
    private int _committed;

    /// <summary>Grows with every failover: what an older leader appends is nobody's.</summary>
    public int Epoch { get; private set; }

    public long EndOffset => _batches.Count;

    /// <summary>Appends under a leadership; -1 now and then, as from a log that is full.</summary>
    public long Append(int epoch, IReadOnlyList<byte[]> values)
    {
        if (epoch != Epoch)
        {
            // A leader of the past still appends to its own log: nothing of it will ever be committed.
            return long.MaxValue;
        }

        if (world.HasFaults && world.Random.Chance(1, 200))
        {
            return -1;
        }

        _batches.Add(values);
        var end = _batches.Count;
        world.After(1 + world.Random.Next(world.Random.Chance(1, 10) ? 400 : 6), () => Commit(epoch, end));
        return end;
    }

    /// <summary>All that a new leader finds.</summary>
    public IEnumerable<byte[]> Values() => _batches.SelectMany(static batch => batch);

    /// <summary>A new leader: of what is not committed, it may have the first part.</summary>
    public void FailOver(SeededRandom random)
    {
        Epoch++;
        var keep = _committed + random.Next(_batches.Count - _committed + 1);
        _batches.RemoveRange(keep, _batches.Count - keep);
        _committed = _batches.Count;
    }

    private void Commit(int epoch, int end)
    {
        if (epoch == Epoch && end > _committed)
        {
            _committed = end;
            world.Coordinator.OnCommitted(end);
        }
    }
}
