using Weir.Testing.Support;
using Xunit;

namespace Weir.Storage.Tests.Log;

/// <summary>The power may go at every step of a truncation or reset, and the log opens as was promised.</summary>
[Trait("Category", "Simulation")]
public sealed class TruncationCrashTests
{
    private const int Records = 30;
    private const int Seeds = 6;

    [Theory]
    [InlineData(29)] // in the active segment
    [InlineData(21)] // some segments before
    [InlineData(18)] // where a segment starts
    [InlineData(1)]
    [InlineData(0)] // everything
    public void Truncated_log_opens_with_an_end_between_the_new_and_the_old_one(long offset) => ForEachCut(
        bed => bed.Log.TruncateTo(offset),
        (bed, isDone) =>
        {
            Assert.InRange(bed.Log.LogEndOffset, offset, isDone ? offset : Records);
            bed.AssertHolds(bed.Log.LogEndOffset);
            AssertProducers(bed);
        },
        bed => bed.Log.TruncateTo(offset));

    [Theory]
    [InlineData(0)]
    [InlineData(6)]
    [InlineData(17)]
    [InlineData(30)]
    [InlineData(1000)]
    public void Reset_log_opens_as_a_beginning_of_what_was_there_or_reset(long offset) => ForEachCut(
        bed => bed.Log.ResetTo(offset),
        (bed, isDone) =>
        {
            if (isDone || bed.Log.LogStartOffset == bed.Log.LogEndOffset)
            {
                Assert.Equal(bed.Log.LogStartOffset, bed.Log.LogEndOffset);
                Assert.True(bed.Log.LogEndOffset == offset || (!isDone && bed.Log.LogEndOffset == 0));
                bed.Forget(0);
            }
            else
            {
                // Last things go first: what is left is a beginning of what was there.
                Assert.Equal(0, bed.Log.LogStartOffset);
                Assert.InRange(bed.Log.LogEndOffset, 1, Records);
                AssertProducers(bed);
            }

            bed.AssertHolds(bed.Log.LogEndOffset);
        },
        bed => bed.Log.ResetTo(offset));

    [Theory]
    [InlineData(4, false)]
    [InlineData(4, true)]
    [InlineData(27, false)]
    public void Discarded_damage_never_comes_back_and_never_takes_what_is_before_it(long damaged, bool isReset)
    {
        ForEachCut(
            Change,
            (bed, isDone) =>
            {
                if (isDone)
                {
                    Assert.Equal(isReset ? 100 : damaged, bed.Log.LogEndOffset);
                }

                if (bed.Log.State == LogState.Online)
                {
                    Assert.True(bed.Log.LogEndOffset <= damaged || bed.Log.LogStartOffset == 100);
                    Assert.Null(bed.Log.DamagedFrom);
                    bed.AssertHolds(bed.Log.LogEndOffset);
                }
                else
                {
                    Assert.Equal((LogState.Corrupt, damaged), (bed.Log.State, bed.Log.DamagedFrom));
                    Assert.Equal(damaged, bed.Log.LogEndOffset);
                }
            },
            Change,
            bed =>
            {
                var cursor = bed.Log.Locate(damaged);
                bed.Disk.Rot(LogTestBed.SegmentPath(cursor.SegmentBase), cursor.Position + 300, 1);
                SegmentFiles.DeleteCaches(bed.Disk);
                bed.Reopen(close: false);
                Assert.Equal((LogState.Corrupt, damaged), (bed.Log.State, bed.Log.DamagedFrom));
            });

        void Change(ReplicaTestBed bed)
        {
            if (isReset)
            {
                bed.Log.ResetTo(100);
                bed.Forget(0);
            }
            else if (bed.Log.State == LogState.Corrupt)
            {
                bed.Log.DiscardFrom(damaged);
            }
        }
    }

    /// <summary>
    /// Cuts the power before every step of a change, opens what is left in several ways, does the change again and goes on
    /// from there: what was refilled must survive another loss of power.
    /// </summary>
    private static void ForEachCut(
        Action<ReplicaTestBed> change, Action<ReplicaTestBed, bool> check, Action<ReplicaTestBed> changeAgain,
        Action<ReplicaTestBed>? prepare = null)
    {
        for (var step = 1; ; step++)
        {
            using var bed = new ReplicaTestBed();
            bed.Fill(Records);
            bed.Log.SaveCheckpoint();
            prepare?.Invoke(bed);
            bed.Disk.CutPowerAtStep(bed.Disk.StepCount + step);
            var isDone = true;
            try
            {
                change(bed);
            }
            catch (PowerLossException)
            {
                isDone = false;
            }

            for (var seed = 0UL; seed < Seeds; seed++)
            {
                using var after = bed.On(bed.Disk.CrashImage(seed));
                check(after, isDone);
                changeAgain(after);
                check(after, true);
                after.Forget(after.Log.LogEndOffset);
                after.Fill(20, epoch: 2);
                var end = after.Log.LogEndOffset;
                using var again = after.On(after.Disk.Crash(seed + 100));
                again.AssertHolds(end);
                AssertProducers(again);
            }

            if (isDone)
            {
                Assert.True(step > 5, $"{step} steps");
                return;
            }
        }
    }

    private static void AssertProducers(ReplicaTestBed bed)
    {
        // A log whose producers were forgotten has batches that do not start with sequence 0.
        var end = (int)bed.Log.LogEndOffset;
        if (bed.Log.LogStartOffset > 0 || end < 5)
        {
            return;
        }

        for (var sequence = end - 5; sequence < end; sequence++)
        {
            var retried = bed.Lead(sequence);
            Assert.Equal((true, sequence), (retried.IsDuplicate, retried.BaseOffset));
        }

        Assert.Equal(Protocol.Errors.ErrorCode.OutOfOrderSequence, bed.Lead(end + 1).Code);
    }
}
