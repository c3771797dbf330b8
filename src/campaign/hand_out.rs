//! Handing out samples to groups, one by one: a group that is done takes the next, so none waits while samples are left.
use super::groups::Groups;
use crate::Result;
use crate::parallel::Comm;
use petsc_rs::Counters;

/// Counter of the samples handed out.
const HANDED: usize = 0;
/// Counter of those that are over.
const OVER: usize = 1;
/// Counter of those among them that have failed.
const FAILED: usize = 2;
/// More than any campaign has samples: with that on the first counter nothing is handed out any more.
const STOP: i64 = 1 << 40;

/// Shared counters over all groups.
pub struct HandOut {
    /// On the first rank of each group.
    counters: Option<Counters>,
    group: Comm,
    total: usize,
}

impl HandOut {
    /// Starts to hand out the places 0 to `total` of a list. Collective over all groups.
    ///
    /// # Errors
    /// When this MPI cannot count for several groups.
    pub fn new(groups: &Groups, total: usize) -> Result<Self> {
        let counters = groups.leaders.as_ref().map(|leaders| Counters::new(leaders.mpi(), 3));
        let counters = groups.world.agree(counters.transpose().map_err(Into::into))?;
        Ok(Self { counters, group: groups.comm.clone(), total })
    }

    /// Adds to a counter on the group's first rank; what it was before, there, and 0 on the others.
    fn add(&self, counter: usize, value: i64) -> Result<i64> {
        Ok(self.counters.as_ref().map_or(Ok(0), |counters| counters.add(counter, value))?)
    }

    /// The next place in the list; `None` when none is left, or when any rank of any group has asked to `stop`. Collective
    /// over the group.
    ///
    /// # Errors
    /// When a counter is missing.
    pub fn next(&self, stop: bool) -> Result<Option<usize>> {
        let stop = self.group.max(u8::from(stop)) == 1;
        let mine = self.add(HANDED, if stop { STOP } else { 1 });
        let place = self.group.max(self.group.agree(mine)?) as usize;
        Ok((!stop && place < self.total).then_some(place))
    }

    /// Counts one as over. Local.
    ///
    /// # Errors
    /// When a counter is missing.
    pub fn over(&self, failed: bool) -> Result<()> {
        self.add(FAILED, i64::from(failed))?;
        self.add(OVER, 1)?;
        Ok(())
    }

    /// How many are over in all groups, and how many of them have failed; known to the first ranks of groups. Local.
    ///
    /// # Errors
    /// When a counter is missing.
    pub fn counts(&self) -> Result<(usize, usize)> {
        Ok((self.add(OVER, 0)? as usize, self.add(FAILED, 0)? as usize))
    }

    /// Hands out nothing more to any group. Local.
    ///
    /// # Errors
    /// When a counter is missing.
    pub fn stop(&self) -> Result<()> {
        self.add(HANDED, STOP)?;
        Ok(())
    }

    /// Ends it. Collective over all groups.
    ///
    /// # Errors
    /// When the counters have failed.
    pub fn end(self) -> Result<()> {
        Ok(self.counters.map_or(Ok(()), Counters::free)?)
    }
}
