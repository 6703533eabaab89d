using Weir.Metadata.Quorum;
using Weir.Metadata.Records;
using Weir.Testing.Support;
using Xunit;
using static Weir.Metadata.Tests.TestMetadata;

namespace Weir.Metadata.Tests;

/// <summary>Power cut before every step of the disk: what was durable is there, and nothing is half there.</summary>
[Trait("Category", "Simulation")]
public sealed class QuorumStoreCrashTests
{
    /// <summary>A leader's days, then a follower's: its end is cut, the next leader's snapshot and batches come.</summary>
    private static readonly Action<Run>[] Script =
    [
        static run => run.Save(1),
        static run => run.Append(Cluster()),
        static run => run.Flush(),
        static run => run.Append(Topic(TopicId(1), "a", 3)),
        static run => run.Append(Topic(TopicId(2), "b"), new TopicDeleted { TopicId = TopicId(1) }),
        static run => run.Flush(),
        static run => run.Commit(),
        static run => run.Append(Topic(TopicId(3), "c", 5)),
        static run => run.Flush(),
        static run => run.Commit(),
        static run => run.Save(2),
        static run => run.Append(Topic(TopicId(4), "d")),
        static run => run.Append(Topic(TopicId(5), "e"), Topic(TopicId(6), "f")),
        static run => run.Append(Topic(TopicId(7), "g", 6)),
        static run => run.Flush(),
        static run => run.Save(3),
        static run => run.Truncate(8),
        static run => run.Append(Topic(TopicId(8), "h")),
        static run => run.Flush(),
        static run => run.Truncate(6),
        static run => run.Save(5),
        static run => run.Install(12),
        static run => run.Replicate(3),
        static run => run.Flush(),
        static run => run.Commit(),
        static run => run.Append(Topic(TopicId(9), "i")),
        static run => run.Flush(),
        static run => run.Install(20),
        static run => run.Replicate(4),
        static run => run.Commit(),
        static run => run.Flush(),
        static run => run.Commit(),
    ];

    [Fact]
    public void What_was_durable_is_found_again_after_power_loss_at_any_step()
    {
        var steps = RunUncut();
        for (var step = 1L; step <= steps; step++)
        {
            var run = RunCut(step);
            for (var seed = 0UL; seed < 10; seed++)
            {
                Verify($"step {step}, seed {seed}", () => run.AssertKept(run.Disk.CrashImage(seed, ModeOf(seed))));
            }
        }
    }

    [Fact]
    public void Power_loss_while_opening_loses_nothing_more()
    {
        var steps = RunUncut();
        for (var step = 1L; step <= steps; step++)
        {
            var run = RunCut(step);
            var isOpen = false;
            for (var second = 1L; !isOpen; second++)
            {
                var cut = run.Disk.CrashImage((ulong)step, ModeOf((ulong)second));
                cut.CutPowerAtStep(second);
                isOpen = TryOpen(cut);
                var seed = (ulong)(step * 1000 + second);
                Verify($"step {step}, then {second}", () => run.AssertKept(cut.CrashImage(seed, ModeOf(seed / 3))));
            }
        }
    }

    private static CrashMode? ModeOf(ulong seed) => (seed % 5) switch
    {
        0 => CrashMode.AllLost,
        1 => CrashMode.AllKept,
        2 => CrashMode.Prefix,
        3 => CrashMode.Mixed,
        _ => null,
    };

    private static long RunUncut()
    {
        var run = new Run(new SimulatedDisk());
        run.Go();
        return run.Disk.StepCount;
    }

    private static Run RunCut(long step)
    {
        var run = new Run(new SimulatedDisk());
        run.Disk.CutPowerAtStep(step);
        Assert.Throws<PowerLossException>(run.Go);
        return run;
    }

    private static bool TryOpen(SimulatedDisk disk)
    {
        try
        {
            OpenStore(disk).Dispose();
            return true;
        }
        catch (PowerLossException)
        {
            return false;
        }
    }

    private static void Verify(string where, Action check)
    {
        var e = Record.Exception(check);
        Assert.True(e is null, $"{where}: {e}");
    }

    /// <summary>Runs the script, and knows what may be found after a power loss.</summary>
    private sealed class Run(SimulatedDisk disk)
    {
        private readonly Dictionary<long, HashSet<string>> _images = new() { [0] = [Print(MetadataImage.Empty)] };
        private readonly HashSet<QuorumState> _states = [QuorumState.Initial];
        private readonly SimulatedDisk _leaderDisk = new();
        private QuorumStore? _store;
        private QuorumStore? _leader;
        private long _durable;

        public SimulatedDisk Disk => disk;

        public void Go()
        {
            _store = OpenStore(disk);
            _leader = OpenStore(_leaderDisk, Tight() with { RecordsPerSnapshot = 1000 });
            foreach (var step in Script)
            {
                step(this);
            }
        }

        public void Save(int epoch)
        {
            var next = new QuorumState(epoch, epoch, Directory(epoch));
            _states.Add(next);
            _store!.SaveState(next);
            _states.Clear();
            _states.Add(next);
        }

        public void Append(params IMetadataRecord[] records)
        {
            _store!.Append(_store.State.Epoch, records, 0, NowMs);
            Expect(_store.Latest);
        }

        public void Flush()
        {
            Assert.True(_store!.Flush(NowMs));
            _durable = _store.EndOffset;
        }

        public void Commit() => _store!.Commit(_store.EndOffset);

        public void Truncate(long offset)
        {
            _durable = Math.Min(_durable, offset);
            _store!.TruncateTo(offset);
            Forget(entry => entry > _store.EndOffset);
        }

        public void Install(int records)
        {
            FillLeader(records);
            Expect(_leader!.Latest);
            _store!.InstallSnapshot(MetadataSnapshot.Encode(_leader.Latest, _leader.LastEpoch), _leader.EndOffset);
            Forget(entry => entry != _leader.EndOffset);
            _durable = _leader.EndOffset;
        }

        public void Replicate(int records)
        {
            for (var i = 0; i < records; i++)
            {
                FillLeader((int)_leader!.EndOffset + 1);
                Assert.True(_store!.AppendReplica(_leader.Read(_store.EndOffset, 1 << 20)));
                Expect(_store.Latest);
            }
        }

        public void AssertKept(SimulatedDisk found)
        {
            using (var store = OpenStore(found))
            {
                Assert.True(store.EndOffset >= _durable, $"{store.EndOffset} of {_durable} durable records are found");
                Assert.Equal(store.EndOffset, store.Latest.NextOffset);
                Assert.Contains(Print(store.Latest), _images[store.EndOffset]);
                Assert.Contains(store.State, _states);
                store.SaveState(new QuorumState(100, 1, Directory(1)));
                Write(store, store.IsEmpty ? Cluster() : Topic(TopicId(1000), "after"));
            }

            using var again = OpenStore(found.CrashImage(1, CrashMode.AllLost));
            Assert.Equal((100, 100), (again.State.Epoch, again.LastEpoch));
        }

        private void FillLeader(int records)
        {
            if (_leader!.IsEmpty)
            {
                _leader.SaveState(new QuorumState(5, 5, Directory(5)));
                Write(_leader, Cluster());
            }

            while (_leader.EndOffset < records)
            {
                Write(_leader, Topic(TopicId(100 + (int)_leader.EndOffset), $"leader-{_leader.EndOffset}"));
            }
        }

        private void Expect(MetadataImage image)
        {
            if (!_images.TryGetValue(image.NextOffset, out var prints))
            {
                _images[image.NextOffset] = prints = [];
            }

            prints.Add(Print(image));
        }

        private void Forget(Func<long, bool> which)
        {
            foreach (var offset in _images.Keys.Where(which).ToList())
            {
                _images.Remove(offset);
            }
        }
    }
}
